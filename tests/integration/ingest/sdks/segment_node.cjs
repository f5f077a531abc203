// node segment_node.cjs URL COUNT RUN: sends COUNT orders and one call of every other kind; prints the ids as JSON.
const { Analytics } = require('@segment/analytics-node')

const [host, count] = [process.argv[2], Number(process.argv[3])]
const errors = []
const sdk = new Analytics({ writeKey: 'TESTKEY', host, flushAt: 10, flushInterval: 200, maxRetries: 10 })
sdk.on('error', (error) => errors.push(String(error.reason || error.code || error)))

const ids = []
const made = () => { const messageId = `segment-node-${process.argv[4]}-${ids.length}`; ids.push(messageId); return messageId }
sdk.identify({ userId: 'sn-0', traits: { plan: 'gold' }, messageId: made() })
for (let n = 0; n < count; n++) {
  const properties = { order_id: `sn-${n}`, total: 1980, currency: 'JPY', products: [{ product_id: '抹茶 ☕️' }] }
  sdk.track({ userId: `sn-${n % 5}`, event: 'Order Completed', properties, messageId: made() })
}
sdk.page({ userId: 'sn-0', name: 'Cart', messageId: made() })
sdk.screen({ userId: 'sn-0', name: 'Home', messageId: made() })
sdk.group({ userId: 'sn-0', groupId: 'g-1', messageId: made() })
sdk.closeAndFlush({ timeout: 120000 }).then(() => console.log(JSON.stringify({ ids, errors })))
