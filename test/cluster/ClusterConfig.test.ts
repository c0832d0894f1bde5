import { assert, describe, it } from "@effect/vitest"
import * as ConfigProvider from "effect/ConfigProvider"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import { clusterConfig, refuseEmbedded, refuseStrangers } from "../../src/cluster/ClusterConfig.ts"

const url = "redis://:secret@localhost:6379"

const parse = (env: Readonly<Record<string, string>>) => clusterConfig.parse(ConfigProvider.fromEnv({ env }))

const parsed = (env: Readonly<Record<string, string>>) =>
  Effect.map(Effect.orDie(parse({ REDIS_URL: url, ...env })), Option.getOrThrow)

describe("the configuration of a node among several", () => {
  it.effect("is none without REDIS_URL", () =>
    Effect.gen(function* () {
      assert.isTrue(Option.isNone(yield* parse({ WALLET_CLUSTER_ADDRESS: "a:1", WALLET_LEASE_TIME: "3 seconds" })))
    })
  )

  it.effect("has a default for all but the URL", () =>
    Effect.gen(function* () {
      const { redisUrl, ...rest } = yield* parsed({})
      assert.strictEqual(Redacted.value(redisUrl), url)
      assert.deepStrictEqual(rest, {
        name: Option.none(),
        address: { host: "127.0.0.1", port: 34_431 },
        listen: { host: "127.0.0.1", port: 34_431 },
        leaseMillis: 6_000,
        graceMillis: 60_000,
        nodeUrl: undefined,
        secret: undefined,
        certificates: undefined,
        insecure: false
      })
    })
  )

  it.effect("listens where it is reached, unless it is told otherwise", () =>
    Effect.gen(function* () {
      const reached = yield* parsed({ WALLET_CLUSTER_ADDRESS: "node-1.internal:7000" })
      assert.deepStrictEqual(reached.listen, { host: "node-1.internal", port: 7_000 })
      const bound = yield* parsed({ WALLET_CLUSTER_ADDRESS: "[fd00::1]:7000", WALLET_CLUSTER_LISTEN: "0.0.0.0:7001" })
      assert.deepStrictEqual(
        [bound.address, bound.listen],
        [
          { host: "fd00::1", port: 7_000 },
          { host: "0.0.0.0", port: 7_001 }
        ]
      )
    })
  )

  const wrong: ReadonlyArray<readonly [name: string, value: string]> = [
    ["WALLET_CLUSTER_ADDRESS", "node-1"],
    ["WALLET_CLUSTER_ADDRESS", "node-1:0"],
    ["WALLET_CLUSTER_ADDRESS", "node-1:65536"],
    ["WALLET_CLUSTER_ADDRESS", "http://node-1:7000"],
    ["WALLET_CLUSTER_LISTEN", "fd00::1:7000"],
    ["WALLET_LEASE_TIME", "200 millis"],
    ["WALLET_LEASE_TIME", "an hour"],
    ["WALLET_LEASE_TIME", "1 hour"],
    ["WALLET_LEASE_GRACE", "2 hours"],
    ["WALLET_CLUSTER_SECRET", "hush-hush-secret"],
    ["WALLET_CLUSTER_SECRET", `secret ${"x".repeat(40)}`],
    ["WALLET_NODE_URL", "node-1:3000"],
    ["WALLET_NODE_URL", "ftp://node-1"],
    ["WALLET_NODE_URL", "http://user:secret@node-1"],
    ["WALLET_NODE_URL", "https://node-1/"],
    ["WALLET_NODE_URL", "https://node-1?"],
    ["WALLET_NODE_URL", "http://a,b"],
    ["WALLET_NODE_URL", "https://node-1\r\nx: y"],
    ["WALLET_CLUSTER_INSECURE", "perhaps"]
  ]
  for (const [name, value] of wrong) {
    it.effect(`refuses ${name}=${value}, and names it`, () =>
      Effect.gen(function* () {
        const exit = yield* Effect.exit(parse({ REDIS_URL: url, [name]: value }))
        assert.isTrue(Exit.isFailure(exit) && String(exit.cause).includes(name), String(exit))
        assert.notInclude(String(exit), "secret")
      })
    )
  }

  const secret = "s".repeat(32)
  const certificates = {
    WALLET_CLUSTER_TLS_CERT: "/node.pem",
    WALLET_CLUSTER_TLS_KEY: "/node.key",
    WALLET_CLUSTER_TLS_CA: "/ca.pem"
  }
  const open = { WALLET_CLUSTER_LISTEN: "0.0.0.0:7000" }
  const securities: ReadonlyArray<readonly [env: Readonly<Record<string, string>>, fault: RegExp | undefined]> = [
    [{}, undefined],
    [{ WALLET_CLUSTER_LISTEN: "127.8.9.1:7000" }, undefined],
    [{ WALLET_CLUSTER_LISTEN: "localhost:7000" }, undefined],
    [{ WALLET_CLUSTER_LISTEN: "[::1]:7000" }, undefined],
    [{ WALLET_CLUSTER_ADDRESS: "10.0.0.1:7000", WALLET_CLUSTER_LISTEN: "127.0.0.1:7000" }, undefined],
    [open, /0\.0\.0\.0:7000.*set WALLET_CLUSTER_SECRET on all nodes/],
    [{ WALLET_CLUSTER_ADDRESS: "10.0.0.1:7000" }, /10\.0\.0\.1:7000.*WALLET_CLUSTER_INSECURE=true/],
    [{ WALLET_CLUSTER_LISTEN: "[::]:7000" }, /set WALLET_CLUSTER_SECRET/],
    [{ WALLET_CLUSTER_LISTEN: "127.evil.example:7000" }, /set WALLET_CLUSTER_SECRET/],
    [{ ...open, WALLET_CLUSTER_INSECURE: "false" }, /set WALLET_CLUSTER_SECRET/],
    [{ ...open, WALLET_CLUSTER_INSECURE: "true" }, undefined],
    [{ ...open, WALLET_CLUSTER_SECRET: secret }, undefined],
    [{ ...open, ...certificates }, undefined],
    [{ ...open, WALLET_CLUSTER_TLS_CERT: "/node.pem" }, /set all three/],
    [{ ...open, ...certificates, WALLET_CLUSTER_SECRET: secret }, /set one of them/]
  ]
  for (const [env, fault] of securities) {
    it.effect(`${fault === undefined ? "takes" : "refuses"} ${JSON.stringify(env)}`, () =>
      Effect.gen(function* () {
        const checked = yield* Effect.exit(refuseStrangers(yield* parsed(env)))
        if (fault === undefined) assert.deepStrictEqual(checked, Exit.void)
        else assert.match(String(checked), fault)
        assert.notInclude(String(checked), secret)
      })
    )
  }

  it.effect("refuses the embedded database, which belongs to one process", () =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(refuseEmbedded(Option.none()))
      assert.match(error.message, /^REDIS_URL is set, but the embedded database .* set DATABASE_URL/)
      yield* refuseEmbedded(Option.some("postgres://"))
    })
  )
})
