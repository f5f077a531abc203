// node asyncapi.cjs FILE: what @asyncapi/parser finds wrong with the document, and what is in it, as JSON.
const { readFileSync } = require('node:fs')
const { Parser } = require('@asyncapi/parser')

new Parser().parse(readFileSync(process.argv[2], 'utf8')).then(({ document, diagnostics }) => {
  const found = diagnostics.map(({ code, path, message }) => `${path.join('.')}: ${message} (${code})`)
  const operations = document ? document.operations().all().map((one) => one.id()) : []
  const channels = document ? document.channels().all().map((one) => one.address()) : []
  console.log(JSON.stringify({ found, operations, channels }))
})
