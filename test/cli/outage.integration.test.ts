/** What the real service says while its PostgreSQL is away, and when it is back. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import * as Schedule from "effect/Schedule"
import * as Fs from "node:fs"
import * as Path from "node:path"
import { postgresFolder, startPostgres } from "../../bench/servers/PostgresServer.ts"
import { migratedDataDir } from "../support/embedded.ts"
import { type Service, startService } from "./WalletProcess.ts"

const apiKey = "an-admin-key-of-the-test"

let calls = 0
/** `0`: nobody has answered. */
const post = (service: Service, path: string, body: unknown) =>
  Effect.promise(() =>
    fetch(`${service.url}${path}`, {
      method: "POST",
      headers: {
        authorization: `Bearer ${apiKey}`,
        "content-type": "application/json",
        "idempotency-key": `call-${calls++}`
      },
      body: JSON.stringify(body)
    }).then(
      ({ status }) => status,
      () => 0
    )
  )

interface Readiness {
  readonly checks: ReadonlyArray<{ readonly name: string; readonly status: string; readonly detail: string | null }>
}

const readiness = (service: Service) =>
  Effect.promise(() =>
    fetch(`${service.url}/health/ready`).then((response) =>
      response.json().then((body) => ({ status: response.status, body: body as Readiness }))
    )
  )

/** Until it holds; the test's own limit ends a wait that never would. */
const until = <A>(look: Effect.Effect<A>, holds: (found: A) => boolean): Effect.Effect<void> =>
  Effect.asVoid(Effect.repeat(look, { schedule: Schedule.spaced("50 millis"), until: holds }))

interface Line {
  readonly level: string
  readonly message: unknown
}

const linesOf = ({ stderr }: Service): ReadonlyArray<Line> =>
  stderr()
    .split("\n")
    .filter((line) => line.startsWith("{"))
    .map((line) => JSON.parse(line) as Line)

const said = (service: Service, level: string): ReadonlyArray<string> =>
  linesOf(service)
    .filter((line) => line.level === level)
    .map(({ message }) => String(message))

describe.skipIf(postgresFolder === undefined)("an outage of PostgreSQL", () => {
  it.live("is one warning, one line when it is over, and is told by readiness with address and cause", () =>
    Effect.gen(function* () {
      const server = yield* startPostgres()
      const service = yield* startService({
        DATABASE_URL: Redacted.value(server.url),
        WALLET_API_KEY: apiKey,
        WALLET_CALLER_WAIT: "1 second"
      })
      assert.strictEqual(yield* post(service, "/v1/wallets", { id: "a", ownerId: "o", currency: "EUR" }), 201)
      const before = said(service, "WARN").length
      yield* server.stop("immediate")
      const credit = post(service, "/v1/wallets/a/credit", { amount: "1" })
      for (let round = 0; round < 5; round++) {
        const answers = yield* Effect.all(
          Array.from({ length: 20 }, () => credit),
          { concurrency: "unbounded" }
        )
        assert.isTrue(
          answers.every((status) => status === 503),
          String(answers)
        )
      }
      const place = `PostgreSQL at 127.0.0.1:${server.port} (database postgres, role postgres)`
      const cause = `${place} cannot be used: connect ECONNREFUSED 127.0.0.1:${server.port}; nothing listens there`
      const { body, status } = yield* readiness(service)
      assert.strictEqual(status, 503)
      assert.include(body.checks.find(({ name }) => name === "log")?.detail, cause)

      yield* server.start
      // Nobody asks for anything meanwhile.
      const isBack = `${place} is back, after `
      yield* until(
        Effect.sync(() => said(service, "INFO")),
        (lines) => lines.some((line) => line.startsWith(isBack))
      )
      yield* until(readiness(service), (found) => found.status === 200)
      assert.strictEqual(yield* credit, 201)
      const warnings = said(service, "WARN").slice(before)
      assert.lengthOf(warnings, 1, warnings.join("\n"))
      assert.isTrue(warnings[0]!.startsWith(place), warnings[0])
      const back = said(service, "INFO").filter((line) => line.startsWith(isBack))
      assert.lengthOf(back, 1)
      assert.match(back[0]!, / and \d+ failed tries$/)
    }).pipe(Effect.scoped)
  )
})

describe("a service whose lock file is deleted", () => {
  it.live("says so and stops", () =>
    Effect.gen(function* () {
      const dataDir = yield* migratedDataDir
      const service = yield* startService({ WALLET_DATA_DIR: dataDir, WALLET_API_KEY: apiKey })
      assert.strictEqual(yield* post(service, "/v1/wallets", { id: "a", ownerId: "o", currency: "EUR" }), 201)
      Fs.rmSync(Path.join(dataDir, "lock"))
      assert.strictEqual(yield* service.exited, 1)
      assert.match(service.stderr(), /wallet: the lock file of the data directory \S+ was deleted or replaced .*\n$/)
      const again = yield* startService({ WALLET_DATA_DIR: dataDir, WALLET_API_KEY: apiKey })
      assert.strictEqual(yield* post(again, "/v1/wallets/a/credit", { amount: "1" }), 201)
    }).pipe(Effect.scoped)
  )
})
