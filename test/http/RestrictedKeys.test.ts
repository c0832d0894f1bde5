/** A key with a restriction against every endpoint that there is: what it may, what is not there for it, what it may not. */
import { assert, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { WalletApi } from "../../src/http/api/Api.ts"
import * as Server from "./TestServer.ts"

const { TestServer } = Server

/** What the world has, by the names that the table uses. */
interface World {
  /** alice's, in EUR, seen by all restricted keys below. */
  readonly mine: string
  /** bob's, in EUR. */
  readonly theirs: string
  readonly myHold: string
  readonly theirHold: string
  readonly myTransaction: string
  readonly theirTransaction: string
  /** Between wallets of alice's. */
  readonly myTransfer: string
  /** Between wallets of bob's. */
  readonly theirTransfer: string
}

type Ask = readonly [method: string, path: string, body?: unknown]

interface Row {
  /** Of what the key sees. */
  readonly own: (world: World) => Ask
  /** Of what it does not see; left out: the endpoint is of no wallet. */
  readonly other?: (world: World) => Ask
  /** Statuses: of what it sees and does not see, with all types, and with the type `credit` only. */
  readonly expected: readonly [own: number, other: number | null, creditOnly: number]
}

const wallet =
  (of: keyof World, rest = "", method = "GET", body?: unknown) =>
  (world: World): Ask => [method, `/v1/wallets/${world[of]}${rest}`, body]

const post = (rest: string, body: unknown): Pick<Row, "own" | "other"> => ({
  own: wallet("mine", rest, "POST", body),
  other: wallet("theirs", rest, "POST", body)
})

const read = (rest = ""): Row => ({
  own: wallet("mine", rest),
  other: wallet("theirs", rest),
  expected: [200, 404, 200]
})

const onHold = (rest: string, method: string, body: unknown, done: number): Row => ({
  own: ({ mine, myHold }) => [method, `/v1/wallets/${mine}/holds/${myHold}${rest}`, body],
  other: ({ theirHold, theirs }) => [method, `/v1/wallets/${theirs}/holds/${theirHold}${rest}`, body],
  expected: [done, 404, 403]
})

const list = (path: string): Row => ({ own: () => ["GET", path], expected: [200, null, 200] })

const adminOnly = (method: string, path: string, body?: unknown): Row => ({
  own: () => [method, path, body],
  expected: [403, null, 403]
})

const table: Readonly<Record<string, Row>> = {
  "wallets.create": {
    own: () => ["POST", "/v1/wallets", { ownerId: "alice", currency: "EUR" }],
    other: () => ["POST", "/v1/wallets", { ownerId: "bob", currency: "EUR" }],
    expected: [201, 403, 403]
  },
  "wallets.get": read(),
  "wallets.search": list("/v1/wallets"),
  "wallets.update": {
    own: wallet("mine", "", "PATCH", { metadata: { a: "b" } }),
    other: wallet("theirs", "", "PATCH", { metadata: { a: "b" } }),
    expected: [200, 404, 403]
  },
  "wallets.credit": { ...post("/credit", { amount: "1" }), expected: [201, 404, 201] },
  "wallets.debit": { ...post("/debit", { amount: "1" }), expected: [201, 404, 403] },
  "wallets.freeze": { ...post("/freeze", {}), expected: [403, 403, 403] },
  "wallets.unfreeze": { ...post("/unfreeze", {}), expected: [403, 403, 403] },
  "wallets.close": { ...post("/close", {}), expected: [403, 403, 403] },
  "wallets.transactions": read("/transactions"),
  "wallets.statement": read("/statement"),
  "wallets.events": read("/events"),
  "holds.place": { ...post("/holds", { amount: "1" }), expected: [201, 404, 403] },
  "holds.capture": onHold("/capture", "POST", { amount: "1" }, 201),
  "holds.change": onHold("", "PATCH", { amount: "90" }, 200),
  "holds.release": onHold("/release", "POST", undefined, 201),
  "holds.list": read("/holds"),
  "holds.get": {
    own: ({ mine, myHold }) => ["GET", `/v1/wallets/${mine}/holds/${myHold}`],
    other: ({ theirHold, theirs }) => ["GET", `/v1/wallets/${theirs}/holds/${theirHold}`],
    expected: [200, 404, 200]
  },
  "holds.search": list("/v1/holds"),
  "transfers.send": {
    own: ({ mine, theirs }) => ["POST", "/v1/transfers", { from: mine, to: theirs, amount: "1" }],
    other: ({ mine, theirs }) => ["POST", "/v1/transfers", { from: theirs, to: mine, amount: "1" }],
    expected: [201, 404, 403]
  },
  "transfers.get": {
    own: ({ myTransfer }) => ["GET", `/v1/transfers/${myTransfer}`],
    other: ({ theirTransfer }) => ["GET", `/v1/transfers/${theirTransfer}`],
    expected: [200, 404, 200]
  },
  "transfers.list": list("/v1/transfers"),
  "transfers.refund": {
    own: ({ myTransfer }) => ["POST", `/v1/transfers/${myTransfer}/refund`, { amount: "1" }],
    other: ({ theirTransfer }) => ["POST", `/v1/transfers/${theirTransfer}/refund`, { amount: "1" }],
    expected: [201, 404, 403]
  },
  "transactions.search": list("/v1/transactions"),
  "transactions.get": {
    own: ({ myTransaction }) => ["GET", `/v1/transactions/${myTransaction}`],
    other: ({ theirTransaction }) => ["GET", `/v1/transactions/${theirTransaction}`],
    expected: [200, 404, 200]
  },
  "transactions.refund": {
    own: ({ myTransaction }) => ["POST", `/v1/transactions/${myTransaction}/refund`, { amount: "1" }],
    other: ({ theirTransaction }) => ["POST", `/v1/transactions/${theirTransaction}/refund`, { amount: "1" }],
    expected: [201, 404, 403]
  },
  "stats.read": list("/v1/stats"),
  "batch.run": { own: () => ["POST", "/v1/batch", { commands: [] }], expected: [200, null, 200] },
  "feed.follow": list("/v1/feed"),
  "feed.head": list("/v1/feed/head"),
  "webhooks.create": adminOnly("POST", "/v1/webhooks", { url: "https://example.com" }),
  "webhooks.list": adminOnly("GET", "/v1/webhooks"),
  "webhooks.get": adminOnly("GET", "/v1/webhooks/w"),
  "webhooks.update": adminOnly("PATCH", "/v1/webhooks/w", { status: "disabled" }),
  "webhooks.delete": adminOnly("DELETE", "/v1/webhooks/w"),
  "webhooks.deliveries": adminOnly("GET", "/v1/webhooks/w/deliveries"),
  "webhooks.test": adminOnly("POST", "/v1/webhooks/w/test"),
  "webhooks.replay": adminOnly("POST", "/v1/webhooks/w/replay", { from: "0" }),
  "webhooks.rollSecret": adminOnly("POST", "/v1/webhooks/w/secret", {}),
  "keys.create": adminOnly("POST", "/v1/keys", { name: "more", scopes: ["admin"] }),
  "keys.list": adminOnly("GET", "/v1/keys"),
  "keys.self": list("/v1/keys/self"),
  "keys.roll": adminOnly("POST", "/v1/keys/k/roll", {}),
  "keys.delete": adminOnly("DELETE", "/v1/keys/k"),
  "audit.list": adminOnly("GET", "/v1/audit"),
  "inspection.stores": {
    own: wallet("mine", "/stores"),
    other: wallet("theirs", "/stores"),
    expected: [403, 403, 403]
  },
  "inspection.verify": { ...post("/verify", {}), expected: [403, 403, 403] },
  "inspection.actors": adminOnly("GET", "/v1/actors"),
  "cluster.view": adminOnly("GET", "/v1/cluster")
}

/** Without a key. */
const open = new Set(["health.live", "health.ready", "health.metrics"])

let made = 0
const nextKey = () => `restricted-${++made}`

const worldOf = Effect.gen(function* () {
  const { call, wallet: newWallet } = yield* TestServer
  const ok = (method: string, path: string, body?: unknown) =>
    Effect.map(call(method, path, { key: nextKey(), body }), (reply) => {
      assert.isBelow(reply.status, 300, reply.text)
      return reply.json
    })
  const side = Effect.fnUntraced(function* (ownerId: string) {
    const [one, two] = [yield* newWallet({ ownerId }), yield* newWallet({ ownerId })]
    const credited = yield* ok("POST", `/v1/wallets/${one}/credit`, { amount: "1000", reference: `of-${ownerId}` })
    const hold = yield* ok("POST", `/v1/wallets/${one}/holds`, { amount: "100" })
    const sent = yield* ok("POST", "/v1/transfers", { from: one, to: two, amount: "50" })
    return { one, transaction: credited.transaction.id, hold: hold.hold.id, transfer: sent.transfer.id }
  })
  const [my, their] = [yield* side("alice"), yield* side("bob")]
  const world: World = {
    mine: my.one,
    theirs: their.one,
    myHold: my.hold,
    theirHold: their.hold,
    myTransaction: my.transaction,
    theirTransaction: their.transaction,
    myTransfer: my.transfer,
    theirTransfer: their.transfer
  }
  return world
})

const secretOf = Effect.fnUntraced(function* (restriction: unknown) {
  const { call } = yield* TestServer
  const scopes = ["wallets:read", "wallets:write"]
  const made = yield* call("POST", "/v1/keys", { body: { name: "restricted", scopes, restriction } })
  assert.strictEqual(made.status, 201, made.text)
  return String(made.json.secret)
})

/** Without what differs from one request to the next. */
const shapeOf = (reply: Server.Reply, id: string): unknown =>
  JSON.parse(JSON.stringify({ ...reply.json, requestId: undefined }).replaceAll(id, "ID"))

layer(Server.layer(), { excludeTestServices: true })("a key with a restriction", (it) => {
  it.effect("is tried against every endpoint that there is", () =>
    Effect.sync(() => {
      const endpoints = Object.values(WalletApi.groups).flatMap((group) =>
        Object.values(group.endpoints).map((endpoint) => `${group.identifier}.${endpoint.identifier}`)
      )
      assert.deepStrictEqual(endpoints.filter((name) => !open.has(name)).toSorted(), Object.keys(table).toSorted())
    })
  )

  for (const [name, { expected, other, own }] of Object.entries(table)) {
    it.effect(`gets what is its own of ${name}, and nothing else`, () =>
      Effect.gen(function* () {
        const { call } = yield* TestServer
        const world = yield* worldOf
        const ofOwner = yield* secretOf({ ownerId: "alice", currencies: ["EUR"] })
        const creditOnly = yield* secretOf({ ownerId: "alice", types: ["credit"] })
        const ask = Effect.fnUntraced(function* ([method, path, body]: Ask, secret: string) {
          // A feed never ends by itself.
          if (path === "/v1/feed") {
            const gone = yield* call(method, `${path}?after=999999`, { secret })
            return gone.status === 410 ? { ...gone, status: 200 } : gone
          }
          return yield* call(method, path, { secret, key: nextKey(), body })
        })
        const [ofOwn, ofOther, ofTyped] = expected
        // First, for what it does not refuse it does.
        const typed = yield* ask(own(world), creditOnly)
        assert.strictEqual(typed.status, ofTyped, typed.text)
        if (other !== undefined) {
          const refused = yield* ask(other(world), ofOwner)
          assert.strictEqual(refused.status, ofOther, refused.text)
        }
        const done = yield* ask(own(world), ofOwner)
        assert.strictEqual(done.status, ofOwn, done.text)
        for (const reply of [typed, done]) {
          if (reply.status !== 403) continue
          assert.strictEqual(reply.json.code, "Forbidden")
          assert.include(["scope", "type", "restriction"], reply.json.reason)
        }
      })
    )
  }

  it.effect("cannot tell what it does not see from what is not there", () =>
    Effect.gen(function* () {
      const { call } = yield* TestServer
      const world = yield* worldOf
      const secret = yield* secretOf({ ownerId: "alice" })
      const pairs: ReadonlyArray<readonly [Ask, Ask, string, string]> = [
        ...["", "/transactions", "/statement", "/events", "/holds", "/holds/x"].map((rest) => {
          const path = (id: string): Ask => ["GET", `/v1/wallets/${id}${rest}`]
          return [path(world.theirs), path("nobody"), world.theirs, "nobody"] as const
        }),
        ...["credit", "debit", "holds"].map((kind) => {
          const asked = (id: string): Ask => ["POST", `/v1/wallets/${id}/${kind}`, { amount: "1" }]
          return [asked(world.theirs), asked("nobody"), world.theirs, "nobody"] as const
        }),
        [
          ["GET", `/v1/transactions/${world.theirTransaction}`],
          ["GET", "/v1/transactions/nothing"],
          world.theirTransaction,
          "nothing"
        ],
        [
          ["GET", `/v1/transfers/${world.theirTransfer}`],
          ["GET", "/v1/transfers/nothing"],
          world.theirTransfer,
          "nothing"
        ],
        [
          ["POST", `/v1/transfers/${world.theirTransfer}/refund`, {}],
          ["POST", "/v1/transfers/nothing/refund", {}],
          world.theirTransfer,
          "nothing"
        ],
        [
          ["POST", "/v1/transfers", { from: world.theirs, to: world.mine, amount: "1" }],
          ["POST", "/v1/transfers", { from: "nobody", to: world.mine, amount: "1" }],
          world.theirs,
          "nobody"
        ],
        [
          ["POST", "/v1/transfers?dryRun=true", { from: world.theirs, to: world.mine, amount: "1" }],
          ["POST", "/v1/transfers?dryRun=true", { from: "nobody", to: world.mine, amount: "1" }],
          world.theirs,
          "nobody"
        ]
      ]
      for (const [hidden, absent, hiddenId, absentId] of pairs) {
        const ask = ([method, path, body]: Ask) => call(method, path, { secret, key: nextKey(), body })
        const [a, b] = [yield* ask(hidden), yield* ask(absent)]
        assert.strictEqual(a.status, 404, `${hidden.join(" ")} ${a.text}`)
        assert.deepStrictEqual(shapeOf(a, hiddenId), shapeOf(b, absentId), hidden.join(" "))
      }
      // An id that is written in another way is the same id.
      const encoded = `%${world.theirs.charCodeAt(0).toString(16)}${world.theirs.slice(1)}`
      assert.strictEqual((yield* call("GET", `/v1/wallets/${encoded}`, { secret })).status, 404)
      assert.strictEqual((yield* call("GET", `/v1/wallets/${encoded}`)).status, 200)
    })
  )
})
