import { assert, describe, it } from "@effect/vitest"
import * as ConfigProvider from "effect/ConfigProvider"
import * as Effect from "effect/Effect"
import { loadServiceConfig } from "../../src/cli/ServiceConfig.ts"
import { unknownLine } from "../../src/cli/UnknownVariables.ts"

const linesOf = (env: Readonly<Record<string, string>>) =>
  Effect.map(
    Effect.provide(loadServiceConfig, ConfigProvider.layer(ConfigProvider.fromEnv({ env: { ...env } }))),
    ({ unknown }) => unknown.map(unknownLine)
  )

describe("variables that nothing reads", () => {
  it.effect("are named with the name that was meant", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(
        yield* linesOf({
          WALLET_RESIDENT_BYTS: "5",
          WALLET_SNAPSHOTS_EVENTS: "5",
          WALLET_DATABASE_URL: "x",
          WALLET_SOMETHING_ELSE: "x",
          WALLET_IDLE_TIME_0: "x"
        }),
        [
          "the variable WALLET_DATABASE_URL is not known and changes nothing: is DATABASE_URL meant?",
          "the variable WALLET_IDLE_TIME_0 is not known and changes nothing: is WALLET_IDLE_TIME meant?",
          "the variable WALLET_RESIDENT_BYTS is not known and changes nothing: is WALLET_RESIDENT_BYTES meant?",
          "the variable WALLET_SNAPSHOTS_EVENTS is not known and changes nothing: is WALLET_SNAPSHOT_EVENTS meant?",
          "the variable WALLET_SOMETHING_ELSE is not known and changes nothing: docs/OPERATIONS.md has the names"
        ]
      )
    })
  )

  it.effect("are named also of search's, and those that are of no use without its address", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(
        yield* linesOf({
          ELASTICSEARCH_API_KEY: "key",
          ELASTICSEARCH_PASWORD: "x",
          ELASTICSEARCH_URLS: "http://a:9200"
        }),
        [
          "the variable ELASTICSEARCH_API_KEY changes nothing without ELASTICSEARCH_URL",
          "the variable ELASTICSEARCH_PASWORD is not known and changes nothing: is ELASTICSEARCH_PASSWORD meant?",
          "the variable ELASTICSEARCH_URLS is not known and changes nothing: is ELASTICSEARCH_URL meant?"
        ]
      )
      assert.deepStrictEqual(yield* linesOf({ ELASTICSEARCH_URL: "http://a:9200", ELASTICSEARCH_API_KEY: "key" }), [])
    })
  )

  it.effect("are none of those that are read, nor of other programs", () =>
    Effect.gen(function* () {
      const known = {
        WALLET_API_KEY: "a-key-of-sixteen-characters",
        WALLET_DATA_DIR: ".data",
        WALLET_KURRENTDB_PREFIX: "wallet",
        WALLET_LEASE_TIME: "6 seconds",
        WALLET_LOG_FORMAT: "json",
        WALLET_TRACE_SAMPLE: "0.5",
        WALLETS: "x",
        PATH: "/bin"
      }
      assert.deepStrictEqual(yield* linesOf(known), [])
    })
  )
})
