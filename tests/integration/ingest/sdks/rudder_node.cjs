// node rudder_node.cjs URL COUNT RUN: sends COUNT orders and one call of every other kind; prints the ids as JSON.
const Analytics = require('@rudderstack/rudder-sdk-node')

const [dataPlaneUrl, count] = [process.argv[2], Number(process.argv[3])]
const errors = []
const sdk = new Analytics('TESTKEY', { dataPlaneUrl, flushAt: 10, flushInterval: 200, retryCount: 12 })

const ids = []
const told = []
const send = (kind, message) => {
  const messageId = `rudder-node-${process.argv[4]}-${ids.length}`
  ids.push(messageId)
  told.push(new Promise((resolve) => {
    sdk[kind]({ ...message, messageId }, (error) => { if (error) errors.push(String(error)); resolve() })
  }))
}
send('identify', { userId: 'rn-0', traits: { plan: 'gold' } })
for (let n = 0; n < count; n++) {
  const properties = { order_id: `rn-${n}`, total: 1980, currency: 'JPY', products: [{ product_id: '抹茶 ☕️' }] }
  send('track', { userId: `rn-${n % 5}`, event: 'Order Completed', properties })
}
send('page', { userId: 'rn-0', name: 'Cart' })
send('screen', { userId: 'rn-0', name: 'Home' })
send('group', { userId: 'rn-0', groupId: 'g-1' })
const watch = setInterval(() => sdk.flush().catch(() => {}), 200)
Promise.all(told).then(() => { clearInterval(watch); console.log(JSON.stringify({ ids, errors })) })
