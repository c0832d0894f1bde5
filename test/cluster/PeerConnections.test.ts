/** Connections between nodes over real sockets: who is let in, and what a byte that is changed costs. */
import { assert, describe, it } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as Metric from "effect/Metric"
import * as Redacted from "effect/Redacted"
import * as Schedule from "effect/Schedule"
import * as Schema from "effect/Schema"
import { RunnerAddress } from "effect/cluster/RunnerAddress"
import * as Runners from "effect/cluster/Runners"
import * as Rpc from "effect/rpc/Rpc"
import * as RpcClient from "effect/rpc/RpcClient"
import * as RpcGroup from "effect/rpc/RpcGroup"
import * as RpcServer from "effect/rpc/RpcServer"
import { spawnSync } from "node:child_process"
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import * as Net from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { freePort } from "../../bench/servers/ServerProcess.ts"
import type { ClusterConfig, NodeCertificates } from "../../src/cluster/ClusterConfig.ts"
import { connectionsRefused, unreachableNodes } from "../../src/cluster/ClusterMetrics.ts"
import * as PeerConnections from "../../src/cluster/PeerConnections.ts"
import * as PeerSecurity from "../../src/cluster/PeerSecurity.ts"
import { PeerStatus } from "../../src/cluster/PeerStatus.ts"
import { startTcpProxy } from "../support/tcpProxy.ts"

const Messages = RpcGroup.make(Rpc.make("Echo", { payload: Schema.String, success: Schema.String }))

type Means = Pick<ClusterConfig, "secret" | "certificates">

const securityOf = (means: Means) => PeerSecurity.make(means as ClusterConfig)

const quiet = Layer.mergeAll(Logger.layer([]), PeerStatus.layer)

/** A node that listens, and what has reached it. */
const listening = Effect.fnUntraced(function* (means: Means) {
  const port = yield* freePort
  const got: Array<string> = []
  const handlers = Messages.toLayer({
    Echo: (text) =>
      Effect.sync(() => {
        got.push(text)
        return text
      })
  })
  const connections = PeerConnections.layer({ host: "127.0.0.1", port }, yield* securityOf(means))
  yield* Layer.build(
    RpcServer.layer(Messages, { disableFatalDefects: true }).pipe(
      Layer.provide(handlers),
      Layer.provide(RpcServer.layerProtocolSocketServer),
      Layer.provide(connections),
      Layer.provide(quiet),
      Layer.fresh
    )
  )
  return { port, got }
})

/** A node that asks the one at `port`. */
const asking = Effect.fnUntraced(function* (means: Means, port: number, host = "127.0.0.1") {
  const own = yield* freePort
  const connections = PeerConnections.layer({ host: "127.0.0.1", port: own }, yield* securityOf(means))
  const context = yield* Layer.build(connections.pipe(Layer.provideMerge(quiet), Layer.fresh))
  const protocol = yield* Context.get(context, Runners.RpcClientProtocol).make(new RunnerAddress({ host, port }))
  const client = yield* RpcClient.make(Messages).pipe(Effect.provideService(RpcClient.Protocol, protocol))
  const peers = Context.get(context, PeerStatus)
  return {
    echo: (text: string) => client.Echo(text),
    /** Until it is answered: a request that fails with its connection is sent again, as a node does. */
    insist: (text: string) => Effect.retry(client.Echo(text), { schedule: Schedule.spaced(20), times: 1_500 }),
    /** Until it is known that the other cannot be asked; answers why. */
    trouble: Effect.suspend(() => Effect.fromNullishOr(peers.trouble())).pipe(
      Effect.retry({ schedule: Schedule.spaced(20), times: 1_500 })
    ),
    untroubled: Effect.suspend(() => (peers.trouble() === undefined ? Effect.void : Effect.fail("not yet"))).pipe(
      Effect.retry({ schedule: Schedule.spaced(20), times: 1_500 })
    )
  }
})

const refusedFor = (reason: string) =>
  Effect.map(Metric.value(Metric.withAttributes(connectionsRefused, { reason })), ({ count }) => Number(count))

const untilRefused = (reason: string, beyond: number) =>
  Effect.repeat(refusedFor(reason), { until: (count) => count > beyond, schedule: Schedule.spaced(10) })

/** Sends bytes; completes when the other side has closed. */
const stranger = (port: number, bytes: Uint8Array) =>
  Effect.callback<void>((resume) => {
    const socket = Net.connect({ port, host: "127.0.0.1" }, () => socket.write(bytes))
    socket.on("data", () => undefined)
    socket.on("error", () => undefined)
    socket.on("close", () => resume(Effect.void))
  })

const secret = (text: string): Means => ({ secret: Redacted.make(text.padEnd(32, "x")) })
const nothing: Means = {}

const openssl = (folder: string, ...args: ReadonlyArray<string>) => {
  const { status, stderr } = spawnSync("openssl", args, { cwd: folder, encoding: "utf8" })
  assert.strictEqual(status, 0, stderr)
}

/** Files of a node, for 127.0.0.1, by an authority of its own making. */
const certificatesOf = (folder: string, authority: string): NodeCertificates => {
  const [ca, cert, key] = [`${authority}.pem`, `${authority}-node.pem`, `${authority}-node.key`]
  const curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
  const days = ["-days", "2"]
  openssl(
    folder,
    "req",
    "-x509",
    ...curve,
    "-keyout",
    `${authority}.key`,
    "-out",
    ca,
    "-subj",
    `/CN=${authority}`,
    ...days
  )
  openssl(folder, "req", ...curve, "-keyout", key, "-out", "node.csr", "-subj", "/CN=node")
  writeFileSync(join(folder, "node.ext"), "subjectAltName=IP:127.0.0.1\n")
  const signer = ["-CA", ca, "-CAkey", `${authority}.key`, "-CAcreateserial", "-extfile", "node.ext"]
  openssl(folder, "x509", "-req", "-in", "node.csr", "-out", cert, ...signer, ...days)
  return { ca: join(folder, ca), cert: join(folder, cert), key: join(folder, key) }
}

const hasOpenssl = spawnSync("openssl", ["version"]).status === 0

const folder = Effect.acquireRelease(
  Effect.sync(() => mkdtempSync(join(tmpdir(), "wallet-tls-"))),
  (path) => Effect.sync(() => rmSync(path, { recursive: true, force: true }))
)

describe("connections between nodes", () => {
  const kinds = [
    ["without a secret", nothing],
    ["by a secret", secret("one")]
  ] as const

  for (const [kind, means] of kinds) {
    for (const what of ["requests", "answers"] as const) {
      it.live(`${kind}, are made anew when ${what} are garbled, and every request is answered again`, () =>
        Effect.gen(function* () {
          const { got, port } = yield* listening(means)
          const proxy = yield* startTcpProxy(port)
          const { insist, untroubled } = yield* asking(means, proxy.port)
          assert.strictEqual(yield* insist("before"), "before")
          for (let round = 0; round < 3; round++) {
            yield* proxy.set({ _tag: "Garble", what })
            assert.strictEqual(yield* insist(`after ${round}`), `after ${round}`)
          }
          yield* untroubled
          assert.isTrue(
            got.every((text) => /^(before|after \d)$/.test(text)),
            "nothing that was changed has come through"
          )
        }).pipe(Effect.scoped, Effect.provide(Logger.layer([])))
      )
    }
  }

  it.live("are closed for what cannot be read, and for a frame above the bound before it is there", () =>
    Effect.gen(function* () {
      const { got, port } = yield* listening(nothing)
      const before = yield* refusedFor("undecodable")
      const frame = Buffer.alloc(10)
      // The length, 65 MiB, in groups of seven bits.
      for (let left = 65 * 1024 * 1024, i = 0; left > 0; left = Math.floor(left / 128), i++) {
        frame[i] = (left % 128) | (left >= 128 ? 128 : 0)
      }
      for (const bytes of [
        frame,
        Buffer.from(`GET / HTTP/1.1\r\nhost: ${"x".repeat(80)}\r\n\r\n`),
        Buffer.alloc(64, 0xff),
        Buffer.alloc(8)
      ]) {
        yield* stranger(port, bytes)
      }
      yield* untilRefused("undecodable", before + 3)
      const { insist } = yield* asking(nothing, port)
      assert.strictEqual(yield* insist("still here"), "still here")
      assert.deepStrictEqual(got, ["still here"])
    }).pipe(Effect.scoped, Effect.provide(Logger.layer([])))
  )

  it.live("by a secret, show nobody what is said", () =>
    Effect.gen(function* () {
      const seen = Effect.fnUntraced(function* (means: Means) {
        const { port } = yield* listening(means)
        let bytes = ""
        const tap = yield* Effect.acquireRelease(
          Effect.callback<Net.Server>((resume) => {
            const server = Net.createServer((client) => {
              const node = Net.connect({ port, host: "127.0.0.1" })
              for (const socket of [client, node]) {
                socket.on("data", (data) => (bytes += data.toString("latin1")))
                socket.on("error", () => undefined)
              }
              client.pipe(node).pipe(client)
            })
            server.listen(0, "127.0.0.1", () => resume(Effect.succeed(server)))
          }),
          (server) => Effect.sync(() => void server.close())
        )
        const { insist } = yield* asking(means, (tap.address() as Net.AddressInfo).port)
        yield* insist("a hundred euros")
        return bytes
      }, Effect.scoped)
      assert.include(yield* seen(nothing), "a hundred euros")
      const hidden = yield* seen(secret("one"))
      assert.notInclude(hidden, "a hundred euros")
      assert.isAbove(hidden.length, 100)
    })
  )

  const strangers: ReadonlyArray<readonly [name: string, server: Means, client: Means]> = [
    ["another secret", secret("one"), secret("two")],
    ["none to a node with one", secret("one"), nothing],
    ["one to a node without", nothing, secret("one")]
  ]
  for (const [name, server, client] of strangers) {
    it.live(`let nothing through with ${name}, and say so`, () =>
      Effect.gen(function* () {
        const { got, port } = yield* listening(server)
        const { echo, trouble } = yield* asking(client, port)
        const asked = yield* Effect.forkChild(Effect.forever(Effect.exit(Effect.timeout(echo("money"), 50))))
        const said = yield* trouble
        assert.match(
          said,
          new RegExp(`^1 of the other nodes cannot be asked \\(127\\.0\\.0\\.1:${port} for \\d+ s: .+\\)$`)
        )
        assert.strictEqual((yield* Metric.value(unreachableNodes)).value, 1)
        assert.isAbove((yield* refusedFor("handshake")) + (yield* refusedFor("undecodable")), 0)
        assert.isUndefined(asked.pollUnsafe())
        assert.deepStrictEqual(got, [])
      }).pipe(Effect.scoped, Effect.provide(Logger.layer([])))
    )
  }

  it.live.skipIf(!hasOpenssl)("by certificates, let in those of the authority and nobody else", () =>
    Effect.gen(function* () {
      const path = yield* folder
      const certificates = certificatesOf(path, "ours")
      const theirs = certificatesOf(path, "theirs")
      const { got, port } = yield* listening({ certificates })
      assert.strictEqual(yield* (yield* asking({ certificates }, port)).insist("ours"), "ours")
      const others: ReadonlyArray<readonly [Means, string]> = [
        [{ certificates: theirs }, "127.0.0.1"],
        // Trusts us, is not trusted.
        [{ certificates: { ...theirs, ca: certificates.ca } }, "127.0.0.1"],
        [secret("one"), "127.0.0.1"],
        [nothing, "127.0.0.1"],
        // Not the host of the certificate.
        [{ certificates }, "localhost"]
      ]
      const refused = ([means, host]: readonly [Means, string]) =>
        Effect.gen(function* () {
          const { echo, trouble } = yield* asking(means, port, host)
          yield* Effect.forkScoped(Effect.forever(Effect.exit(Effect.timeout(echo("money"), 50))))
          yield* trouble
        })
      yield* Effect.forEach(others, refused, { concurrency: "unbounded", discard: true })
      assert.deepStrictEqual(got, ["ours"])
      const broken = yield* Effect.flip(securityOf({ certificates: { ...certificates, key: join(path, "nowhere") } }))
      assert.match(broken.message, /^the certificate for the other nodes cannot be used: .*nowhere/)
      const mixed = yield* Effect.flip(securityOf({ certificates: { ...certificates, key: theirs.key } }))
      assert.match(mixed.message, /key values mismatch/)
    }).pipe(Effect.scoped, Effect.provide(Logger.layer([])))
  )

  it.live("end when their handshake does not, and cost no others", () =>
    Effect.gen(function* () {
      const { port } = yield* listening(secret("one"))
      const before = yield* refusedFor("handshake")
      yield* Effect.forEach(Array.from({ length: 20 }), () => stranger(port, new Uint8Array()), {
        concurrency: "unbounded"
      })
      yield* untilRefused("handshake", before + 19)
      assert.strictEqual(yield* (yield* asking(secret("one"), port)).insist("a node"), "a node")
    }).pipe(Effect.scoped, Effect.provide(Logger.layer([])))
  )
})
