import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { refusedAt } from "../../src/http/Lane.ts"
import {
  lookMillis,
  makeServer,
  answerAll,
  connect,
  statuses,
  write,
  read,
  search,
  searchOf,
  indexed,
  live,
  until,
  together,
  page,
  feed,
  saturated
} from "./AdmissionServer.ts"

describe("the admission of requests", () => {
  it.live("answers all that one connection sends ahead, in order, though it is held again and again", () =>
    Effect.gen(function* () {
      const served = yield* makeServer
      served.state.answersAtOnce = true
      const client = yield* connect(served.port)
      const count = 20_000
      client.socket.write(write().repeat(count))
      let held = 0
      yield* until(() => {
        held = Math.max(held, served.admission.lines.write.lane.inFlight)
        return statuses(client).length === count
      })
      assert.deepStrictEqual([...new Set(statuses(client))], ["200"])
      assert.strictEqual(served.state.served, count)
      // One chunk of bytes at a time.
      assert.isBelow(held, 2_000)
    }).pipe(Effect.scoped)
  )

  it.live("refuses what would wait too long before a handler sees it, and answers health meanwhile", () =>
    Effect.gen(function* () {
      const served = yield* makeServer
      yield* saturated(served, write())
      const { served: before } = served.state
      const [one, health] = [yield* connect(served.port), yield* connect(served.port)]
      one.socket.write(write())
      health.socket.write(live)
      yield* until(() => statuses(one).length === 1 && statuses(health).length === 1)
      assert.match(one.received, /^HTTP\/1\.1 429 /)
      assert.match(one.received, /retry-after: [1-9]/i)
      assert.match(one.received, /"code":"RateLimited"/)
      assert.deepStrictEqual(statuses(health), ["200"])
      assert.strictEqual(served.state.served, before)
      served.admission.look(lookMillis)
      assert.lengthOf(served.told, 1)
    }).pipe(Effect.scoped)
  )

  it.live("takes writes when reads wait, and no reads when both wait", () =>
    Effect.gen(function* () {
      const served = yield* makeServer
      yield* saturated(served, read)
      const [aRead, aWrite] = [yield* connect(served.port), yield* connect(served.port)]
      aRead.socket.write(read)
      aWrite.socket.write(write())
      yield* until(() => statuses(aRead).length === 1 && served.admission.lines.write.lane.inFlight === 1)
      assert.deepStrictEqual(statuses(aRead), ["429"])
    }).pipe(Effect.scoped)
  )

  it.live("takes reads of wallets and writes while searches stand still, and no second search", () =>
    Effect.gen(function* () {
      const served = yield* makeServer
      const [hangs, next, aRead, aWrite] = [
        yield* connect(served.port),
        yield* connect(served.port),
        yield* connect(served.port),
        yield* connect(served.port)
      ]
      hangs.socket.write(search)
      yield* until(() => served.state.served === 1)
      for (let look = 0; look < 31; look++) served.admission.look(lookMillis)
      aRead.socket.write(read)
      aWrite.socket.write(write())
      yield* until(() => served.state.served === 3)
      // One is let through now and then, to find out whether it is over.
      next.socket.write(search)
      yield* until(() => served.state.served === 4)
      next.socket.write(search)
      yield* until(() => served.admission.lines.search.refused === 1)
      assert.strictEqual(served.state.served, 4)
      answerAll(served)
      for (let look = 0; look < 5; look++) served.admission.look(lookMillis)
      yield* until(() => statuses(next).length === 2)
      assert.deepStrictEqual(statuses(next), ["200", "503"])
      assert.deepStrictEqual([statuses(aRead), statuses(aWrite)], [["200"], ["200"]])
    }).pipe(Effect.scoped)
  )

  it.live("tells plain commands of no standstill while others wait until search finds what they did", () =>
    Effect.gen(function* () {
      const served = yield* makeServer
      const { admission, port, state } = served
      const waiting = [indexed, write("/v1/batch?await=indexed"), write("/v1/transfers?%61wait=index%65d")]
      for (const [at, request] of waiting.entries()) {
        const client = yield* connect(port)
        client.socket.write(request)
        yield* until(() => state.served === at + 1)
      }
      for (let look = 0; look < 31; look++) admission.look(lookMillis)
      assert.isTrue(admission.lines.indexed.lane.standsStill)
      for (let count = 0; count < 5; count++) {
        const client = yield* connect(port)
        client.socket.write(write())
        yield* until(() => state.served === waiting.length + count + 1)
      }
      assert.deepStrictEqual([admission.lines.write.refused, admission.lines.write.lane.standsStill], [0, false])
      answerAll(served)
    }).pipe(Effect.scoped)
  )

  it.live(
    "gives no key more than half of the room for searches, and tells it so after a pause, in no other's way",
    () =>
      Effect.gen(function* () {
        const served = yield* makeServer
        const { admission, port, state } = served
        const { lane } = admission.lines.search
        const share = (lane.limit * refusedAt) / 2
        const crowd = Array.from({ length: Math.ceil(share / together) }, () => connect(port))
        let left = share
        for (const client of yield* Effect.all(crowd)) {
          const wanted = Math.min(together, left)
          const before = state.served
          client.socket.write(searchOf("crowd").repeat(wanted))
          yield* until(() => state.served === before + wanted)
          left -= wanted
        }
        const [refused, alone, stranger] = [yield* connect(port), yield* connect(port), yield* connect(port)]
        refused.socket.write(searchOf("crowd"))
        yield* until(() => admission.lines.search.refused === 1)
        // It keeps no room.
        assert.deepStrictEqual([lane.inFlight, state.served], [share, share])
        alone.socket.write(searchOf("alone"))
        stranger.socket.write(search)
        yield* until(() => state.served === share + 2)
        for (let look = 0; look < 4; look++) admission.look(lookMillis)
        // A connection that sends more has it wait.
        refused.socket.write(searchOf("crowd"))
        answerAll(served)
        yield* until(() => statuses(alone).length === 1 && statuses(stranger).length === 1)
        assert.deepStrictEqual([statuses(refused), state.served], [[], share + 2])
        admission.look(lookMillis)
        yield* until(() => state.served === share + 3)
        answerAll(served)
        yield* until(() => statuses(refused).length === 2)
        assert.deepStrictEqual(statuses(refused), ["429", "200"])
        assert.include(refused.received, "searches of this key")
      }).pipe(Effect.scoped)
  )

  it.live("forgets the searches of connections that are gone, and answers all that are refused when it stops", () =>
    Effect.gen(function* () {
      const served = yield* makeServer
      const { admission, port, state } = served
      for (let round = 0; round < 4; round++) {
        const gone = yield* connect(port)
        const before = state.served
        gone.socket.write(searchOf("crowd").repeat(together))
        yield* until(() => state.served === before + together)
        gone.socket.destroy()
        yield* until(() => admission.lines.search.lane.inFlight === 0)
      }
      for (let look = 0; look < 31; look++) admission.look(lookMillis)
      const hangs = yield* connect(port)
      hangs.socket.write(searchOf("crowd"))
      yield* until(() => state.served === 4 * together + 1)
      for (let look = 0; look < 31; look++) admission.look(lookMillis)
      const [probe, refused] = [yield* connect(port), yield* connect(port)]
      probe.socket.write(searchOf("crowd"))
      yield* until(() => state.served === 4 * together + 2)
      refused.socket.write(searchOf("crowd"))
      yield* until(() => admission.lines.search.refused === 1)
      admission.stop()
      yield* until(() => statuses(refused).length === 1)
      assert.deepStrictEqual(statuses(refused), ["503"])
    }).pipe(Effect.scoped)
  )

  it.live("takes few searches of a key for a while after one of any has waited in vain", () =>
    Effect.gen(function* () {
      const served = yield* makeServer
      const { admission, port, state } = served
      const late = yield* connect(port)
      late.socket.write(searchOf("anybody"))
      yield* until(() => state.served === 1)
      served.taken.pop()!.writeHead(429, { "content-length": 0 }).end()
      yield* until(() => statuses(late).length === 1)
      const crowd = yield* Effect.forEach(Array.from({ length: 65 }), () => connect(port))
      for (const { socket } of crowd) socket.write(searchOf("crowd"))
      yield* until(() => admission.lines.search.refused === 1)
      assert.strictEqual(state.served, 65)
      const alone = yield* connect(port)
      alone.socket.write(searchOf("alone"))
      yield* until(() => state.served === 66)
      answerAll(served)
      for (let look = 0; look < 100; look++) admission.look(lookMillis)
      yield* until(() => crowd.every((client) => statuses(client).length === 1))
      for (const { socket } of crowd) socket.write(searchOf("crowd"))
      yield* until(() => state.served === 66 + 65)
      assert.strictEqual(admission.lines.search.refused, 1)
    }).pipe(Effect.scoped)
  )

  it.live("takes a search whose turn has not come for no standstill", () =>
    Effect.gen(function* () {
      const served = yield* makeServer
      const hangs = yield* connect(served.port)
      hangs.socket.write(search)
      yield* until(() => served.state.served === 1)
      const client = yield* connect(served.port)
      for (let look = 0; look < 40; look++) {
        client.socket.write(search)
        yield* until(() => served.taken.length === 2)
        served.taken.pop()!.writeHead(429, { "content-length": 0 }).end()
        yield* until(() => statuses(client).length === look + 1)
        served.admission.look(lookMillis)
      }
      assert.isFalse(served.admission.lines.search.lane.standsStill)
      assert.strictEqual(served.admission.lines.search.refused, 0)
    }).pipe(Effect.scoped)
  )

  it.live(
    "takes writes and reads while as many as are taken wait for search, and holds nobody's connection for them",
    () =>
      Effect.gen(function* () {
        const served = yield* makeServer
        const { admission } = served
        const idle = yield* connect(served.port)
        idle.socket.write(write())
        yield* until(() => served.taken.length === 1)
        answerAll(served)
        yield* until(() => statuses(idle).length === 1)
        yield* saturated(served, indexed)
        const before = served.state.served
        for (const request of [write(), read, search]) {
          const client = yield* connect(served.port)
          client.socket.write(request)
        }
        idle.socket.write(write())
        yield* until(() => served.state.served === before + 4)
        assert.deepStrictEqual(
          [admission.lines.write.refused, admission.lines.read.refused, admission.lines.search.refused],
          [0, 0, 0]
        )
        const late = yield* connect(served.port)
        late.socket.write(indexed)
        yield* until(() => admission.lines.indexed.refused === 1)
        assert.strictEqual(served.state.served, before + 4)
      }).pipe(Effect.scoped)
  )

  it.live("throws away what a connection sends ahead when nothing is taken, and says so", () =>
    Effect.gen(function* () {
      const served = yield* makeServer
      const { admission } = served
      yield* saturated(served, write())
      const before = served.state.served
      let parsed = 0
      served.server.prependListener("request", () => parsed++)
      const client = yield* connect(served.port)
      client.socket.write(write().repeat(1_000))
      yield* until(() => statuses(client).length === 1)
      for (let look = 0; look < 11; look++) admission.look(lookMillis)
      yield* until(() => statuses(client).length === 2)
      assert.deepStrictEqual(statuses(client), ["429", "429"])
      assert.match(client.received, /connection: close\r\n/)
      for (let look = 0; look < 11; look++) admission.look(lookMillis)
      yield* until(() => client.ended)
      assert.strictEqual(served.state.served, before)
      // The one that was refused, and the one that showed that there are more.
      assert.strictEqual(parsed, 2)
    }).pipe(Effect.scoped)
  )

  it.live("tells a connection that has waited too long for its turn, ends it, and does nothing of what it sent", () =>
    Effect.gen(function* () {
      const served = yield* makeServer
      const { admission } = served
      const client = yield* connect(served.port)
      client.socket.write(write().repeat(2))
      yield* until(() => served.taken.length === 2)
      const own = served.taken.splice(0)
      yield* saturated(served, write())
      for (const response of own) response.writeHead(200, { "content-length": 0 }).end()
      yield* until(() => admission.held === 1)
      const before = served.state.served
      client.socket.write(write().repeat(2))
      for (let look = 0; look < 31; look++) admission.look(lookMillis)
      yield* until(() => statuses(client).length === 3)
      // All those looks went by without one answer: the stores stand still.
      assert.deepStrictEqual(statuses(client), ["200", "200", "503"])
      assert.match(client.received, /connection: close/)
      for (let look = 0; look < 11; look++) admission.look(lookMillis)
      yield* until(() => client.ended)
      assert.strictEqual(served.state.served, before)
      assert.strictEqual(admission.endedConnections, 1)
    }).pipe(Effect.scoped)
  )

  it.live("gives a held connection its turn when there is room", () =>
    Effect.gen(function* () {
      const served = yield* makeServer
      const { admission } = served
      const client = yield* connect(served.port)
      client.socket.write(write().repeat(2))
      yield* until(() => served.taken.length === 2)
      const own = served.taken.splice(0)
      yield* saturated(served, write())
      for (const response of own) response.writeHead(200, { "content-length": 0 }).end()
      yield* until(() => admission.held === 1)
      const before = served.state.served
      client.socket.write(write().repeat(2))
      admission.look(lookMillis)
      assert.strictEqual(served.state.served, before)
      served.state.answersAtOnce = true
      answerAll(served)
      yield* until(() => statuses(client).length === 4)
      assert.deepStrictEqual(statuses(client), ["200", "200", "200", "200"])
    }).pipe(Effect.scoped)
  )

  it.live("keeps no room for bodies that do not come", () =>
    Effect.gen(function* () {
      const served = yield* makeServer
      const { lane } = served.admission.lines.write
      const slow = yield* Effect.forEach(Array.from({ length: 100 }), () => connect(served.port), { concurrency: 50 })
      for (const { socket } of slow) socket.write("POST /v1/batch HTTP/1.1\r\nhost: x\r\ncontent-length: 10\r\n\r\n")
      yield* until(() => lane.inFlight === 100)
      served.admission.look(lookMillis)
      served.admission.look(lookMillis)
      assert.strictEqual(lane.inFlight, 0)
      for (const { socket } of slow) socket.write("0123456789")
      answerAll(served)
      yield* until(() => slow.every((client) => statuses(client).length === 1))
      assert.strictEqual(lane.inFlight, 0)
    }).pipe(Effect.scoped)
  )

  it.live("keeps nothing of a request that is over, though its connection stays", () =>
    Effect.gen(function* () {
      const { admission, port, state } = yield* makeServer
      state.answersAtOnce = true
      const client = yield* connect(port)
      client.socket.write(write().repeat(3))
      yield* until(() => statuses(client).length === 3)
      yield* until(() => [...admission.connections.values()].every(({ owed }) => owed.length === 0))
      const [connection] = admission.connections.values()
      assert.deepInclude(connection, { last: undefined, lastOwed: undefined, uploading: undefined })
    }).pipe(Effect.scoped)
  )

  it.live("forgets what was owed to connections that are gone", () =>
    Effect.gen(function* () {
      const served = yield* makeServer
      const { admission } = served
      const { lane } = admission.lines.write
      const clients = yield* Effect.forEach(Array.from({ length: 10 }), () => connect(served.port))
      for (const { socket } of clients) socket.write(write())
      yield* until(() => lane.inFlight === 10)
      for (const { socket } of clients) socket.destroy()
      yield* until(() => lane.inFlight === 0 && admission.connections.size === 0)
      answerAll(served)
      assert.strictEqual(lane.inFlight, 0)
    }).pipe(Effect.scoped)
  )

  it.live("reads from all again when the server stops", () =>
    Effect.gen(function* () {
      const served = yield* makeServer
      const { admission } = served
      const client = yield* connect(served.port)
      client.socket.write(write().repeat(2))
      yield* until(() => served.taken.length === 2)
      const own = served.taken.splice(0)
      yield* saturated(served, write())
      for (const response of own) response.writeHead(200, { "content-length": 0 }).end()
      yield* until(() => admission.held === 1)
      const before = served.state.served
      client.socket.write(write())
      admission.stop()
      yield* until(() => served.state.served === before + 1)
      assert.strictEqual(admission.held, 0)
    }).pipe(Effect.scoped)
  )

  for (const [name, first] of [
    ["a page that its client does not read", page],
    ["a feed", feed]
  ] as const) {
    it.live(`keeps no room for ${name}, nor for what stands behind it`, () =>
      Effect.gen(function* () {
        const served = yield* makeServer
        const { admission, state } = served
        state.answersAtOnce = true
        const { lane } = admission.lines.write
        const clients = yield* Effect.forEach(Array.from({ length: 10 }), () => connect(served.port))
        for (const { socket } of clients) {
          socket.pause()
          socket.write(first + write().repeat(40))
        }
        yield* until(() => state.served === 400)
        assert.strictEqual(lane.inFlight, 400)
        admission.look(lookMillis)
        admission.look(lookMillis)
        assert.strictEqual(lane.inFlight, 0)
        assert.strictEqual(admission.lines.read.lane.inFlight, 0)
        for (const { socket } of clients) socket.resume()
        const answers = first === page ? 41 : 1
        yield* until(() => clients.every((client) => statuses(client).length === answers))
        for (const { socket } of clients) socket.destroy()
        yield* until(() => admission.connections.size === 0)
        assert.strictEqual(lane.inFlight, 0)
      }).pipe(Effect.scoped)
    )
  }

  for (const [name, first, rest] of [
    ["a feed", feed, ""],
    ["a command whose body came late", "POST /v1/batch HTTP/1.1\r\nhost: x\r\ncontent-length: 1\r\n\r\n", "1"]
  ] as const) {
    it.live(`says nothing in between while it owes an answer: ${name}`, () =>
      Effect.gen(function* () {
        const served = yield* makeServer
        const { admission, taken } = served
        const client = yield* connect(served.port)
        client.socket.write(first)
        yield* until(() => (rest === "" ? statuses(client).length === 1 : taken.length === 1))
        const own = taken.splice(0)
        for (let look = 0; look < 3; look++) admission.look(lookMillis)
        client.socket.write(rest)
        yield* until(() => [...admission.connections.values()].every(({ last }) => last?.complete !== false))
        const before = client.received
        yield* saturated(served, write())
        for (let look = 0; look < 50; look++) admission.look(lookMillis)
        assert.strictEqual(admission.endedConnections, 0)
        assert.strictEqual(client.received, before)
        for (const response of own) response.writeHead(201, { "content-length": 0 }).end()
        if (rest !== "") yield* until(() => statuses(client).length === 1)
        assert.deepStrictEqual(statuses(client), [rest === "" ? "200" : "201"])
        assert.isFalse(client.ended)
      }).pipe(Effect.scoped)
    )
  }

  it.live("does not let those wait that send for those that do not", () =>
    Effect.gen(function* () {
      const served = yield* makeServer
      const { admission } = served
      const { lane, waiting } = admission.lines.write
      const idle = yield* Effect.forEach(Array.from({ length: 600 }), () => connect(served.port), { concurrency: 50 })
      for (const { socket } of idle) socket.write(write())
      yield* until(() => served.taken.length === idle.length)
      answerAll(served)
      yield* until(() => lane.inFlight === 0 && idle.every((client) => statuses(client).length === 1))
      yield* saturated(served, write())
      yield* until(() => waiting.length >= idle.length)
      const sending = idle.at(-1)!
      sending.socket.write(write())
      served.state.answersAtOnce = true
      answerAll(served)
      // Without one look: all who stand before it have had their turns.
      yield* until(() => statuses(sending).length === 2)
      assert.deepStrictEqual(statuses(sending), ["200", "200"])
    }).pipe(Effect.scoped)
  )
})
