/** In which order connections that come together are first read from. */
import * as Effect from "effect/Effect"
import * as Http from "node:http"
import * as Net from "node:net"
import { afterEach, assert, describe, it } from "vitest"
import { readNewestFirst } from "../../src/http/Newcomers.ts"

const open: Array<{ readonly end: () => void }> = []
afterEach(() => {
  for (const { end } of open.splice(0)) end()
})

const listening = async (now: () => number) => {
  const served: Array<string> = []
  const server = Http.createServer((request, response) => {
    served.push(request.url!.slice(1))
    response.end()
  })
  const readAll = readNewestFirst(server, now)
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
  open.push({ end: () => (server.closeAllConnections(), server.close()) })
  return { port: (server.address() as Net.AddressInfo).port, server, served, readAll }
}

/** Ends with the first answer. */
const ask = (port: number, path: string) =>
  new Promise<string>((resolve, reject) => {
    const socket = Net.connect(port, "127.0.0.1")
    socket.write(`GET /${path} HTTP/1.1\r\nhost: x\r\n\r\n`)
    socket.on("error", reject)
    socket.once("data", (answer) => {
      socket.destroy()
      resolve(answer.toString("latin1").split("\r\n", 1)[0]!)
    })
  })

const many = 300

describe("connections that come together", () => {
  it("are all taken before one is read from, and the newest is the first: a health check's, behind all others", async () => {
    const { port, served, server } = await listening(() => 0)
    let taken = 0
    server.on("connection", () => taken++)
    let takenAtFirst = 0
    server.once("request", () => (takenAtFirst = taken))
    const names = Array.from({ length: many }, (_, index) => String(index))
    const answers = await Promise.all(names.map((name) => ask(port, name)))
    assert.deepStrictEqual(new Set(answers), new Set(["HTTP/1.1 200 OK"]))
    assert.strictEqual(takenAtFirst, many)
    assert.isAtMost(served.indexOf(String(many - 1)), 3)
    assert.isAtLeast(served.indexOf("0"), many - 4)
    assert.sameMembers(served, names)
  })

  it("do not wait for those that come after them for ever", async () => {
    let time = 0
    const { port, server } = await listening(() => (time += 1_000))
    let taken = 0
    server.on("connection", () => taken++)
    let takenAtFirst = 0
    server.once("request", () => (takenAtFirst = taken))
    await Promise.all(Array.from({ length: many }, (_, index) => ask(port, String(index))))
    assert.isBelow(takenAtFirst, many)
  })

  it("may be gone before they are read from", async () => {
    const { port, server } = await listening(() => 0)
    const gone = Array.from({ length: many }, () => Net.connect(port, "127.0.0.1"))
    await Promise.all(gone.map((socket) => new Promise((resolve) => socket.once("connect", resolve))))
    for (const socket of gone) socket.destroy()
    assert.strictEqual(await ask(port, "after"), "HTTP/1.1 200 OK")
    await new Promise<void>((resolve) => {
      const look = () => server.getConnections((_error, count) => (count === 0 ? resolve() : void setImmediate(look)))
      look()
    })
  })

  it("are answered by a server that stops before it has read from them", async () => {
    const { port, server, readAll } = await listening(() => 0)
    const all = new Promise<void>((resolve) => {
      let taken = 0
      server.on("connection", () => void (++taken === many && resolve()))
    })
    const answers = Array.from({ length: many }, (_, index) => ask(port, String(index)))
    await all
    await Effect.runPromise(readAll)
    server.close()
    server.closeIdleConnections()
    assert.deepStrictEqual(new Set(await Promise.all(answers)), new Set(["HTTP/1.1 200 OK"]))
  })
})
