/**
 * By hand: `node test/load/vegeta.ts [--rate 500] [--seconds 15] [--rounds 5] [--service]`.
 *
 * `wallet load` beside vegeta, a load generator of another hand: the same credits at the same constant rate, in turns,
 * to a server of known latencies (`test/support/steadyServer.ts`), or to a real service on PostgreSQL, where the tail is
 * that of its flushes, another in each run. Where nothing stalls both must tell the same percentiles; what differs more
 * than the bounds below ends with 1. Vegeta counts from the real start of a request: that is our `serviceTime`; `latency`
 * counts from the intended start, and so has the load's own delay in it, which is told beside them.
 *
 * Wants `vegeta` on the path or among Go's programs
 * (`go install github.com/tsenart/vegeta/v12@latest`).
 */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import { spawn, spawnSync } from "node:child_process"
import { once } from "node:events"
import { existsSync, writeFileSync } from "node:fs"
import { homedir } from "node:os"
import { join } from "node:path"
import { createInterface } from "node:readline"
import { parseArgs } from "node:util"
import { startPostgres } from "../../bench/servers/PostgresServer.ts"
import { runWallet, startService, temporaryFolder } from "../cli/WalletProcess.ts"

const { values: flags } = parseArgs({
  options: {
    service: { type: "boolean", default: false },
    rate: { type: "string", default: "500" },
    seconds: { type: "string", default: "15" },
    rounds: { type: "string", default: "5" }
  }
})
const [rate, seconds, rounds] = [Number(flags.rate), Number(flags.seconds), Number(flags.rounds)]

const warmup = 3
const wallets = 100
const key = "a-key-of-at-least-thirty-two-characters"

const inGo = join(homedir(), "go/bin/vegeta")
const vegeta = existsSync(inGo) ? inGo : "vegeta"

const percentiles = ["p50", "p90", "p99"] as const
type Percentiles = Readonly<Record<(typeof percentiles)[number], number>>

/** What one may be away from the other: a share of the other's, and milliseconds. */
const bounds: Readonly<Record<keyof Percentiles, readonly [share: number, millis: number]>> = {
  p50: [0.05, 0.5],
  p90: [0.05, 0.5],
  p99: [0.2, 0]
}

const runProgram = (args: ReadonlyArray<string>, input?: Buffer): Buffer => {
  const { error, status, stderr, stdout } = spawnSync(vegeta, args, { input, maxBuffer: 1 << 30 })
  if (status !== 0) throw new Error(`vegeta ${args[0]}: ${error?.message ?? stderr.toString()}`)
  return stdout
}

let requests = 0

/** So many seconds of credits, a line of JSON each. */
const targets = (url: string, round: number, seconds: number): string =>
  Array.from({ length: rate * seconds }, () =>
    JSON.stringify({
      method: "POST",
      url: `${url}/v1/wallets/v${round}-${requests % wallets}/credit`,
      header: {
        Authorization: [`Bearer ${key}`],
        "Content-Type": ["application/json"],
        "Idempotency-Key": [`v-${++requests}`]
      },
      body: Buffer.from(`{"amount":"1"}`).toString("base64")
    })
  )
    .map((line) => `${line}\n`)
    .join("")

const attack = (folder: string, url: string, round: number, seconds: number): Percentiles => {
  const file = join(folder, "targets.jsonl")
  writeFileSync(file, targets(url, round, seconds))
  const results = runProgram([
    ..."attack -format json -lazy".split(" "),
    "-targets",
    file,
    `-rate=${rate}/s`,
    `-duration=${seconds}s`
  ])
  const {
    errors,
    latencies,
    status_codes: statuses
  } = JSON.parse(runProgram(["report", "-type", "json"], results).toString())
  if (statuses["201"] !== rate * seconds) {
    throw new Error(`vegeta was answered ${JSON.stringify({ statuses, errors })}`)
  }
  return { p50: latencies["50th"] / 1e6, p90: latencies["90th"] / 1e6, p99: latencies["99th"] / 1e6 }
}

/** As fresh as those that `wallet load` makes for itself. */
const makeWallets = Effect.fnUntraced(function* (url: string, round: number) {
  for (let n = 0; n < wallets; n++) {
    yield* Effect.promise(() =>
      fetch(`${url}/v1/wallets`, {
        method: "POST",
        headers: { authorization: `Bearer ${key}`, "content-type": "application/json", "idempotency-key": "make" },
        body: JSON.stringify({ id: `v${round}-${n}`, ownerId: "v", currency: "EUR" })
      })
    )
  }
})

const load = Effect.fnUntraced(function* (url: string, round: number) {
  const { code, stderr, stdout } = yield* runWallet(
    `load --url ${url} --rate ${rate} --seconds ${seconds} --warmup ${warmup} --wallets ${wallets} --mix credit=1 --run r${round} --check-seconds 0 --json`.split(
      " "
    ),
    { WALLET_API_KEY: key }
  )
  if (code !== 0) return yield* Effect.die(new Error(`wallet load ended with ${code}: ${stderr}`))
  const { latency, sendDelay, serviceTime } = JSON.parse(stdout)
  return { serviceTime, latency: latency.all, sendDelay } as Readonly<Record<string, Percentiles>>
})

const realService = Effect.gen(function* () {
  const { url } = yield* startPostgres()
  return (yield* startService({ DATABASE_URL: Redacted.value(url), WALLET_API_KEY: key })).url
})

const steadyServer = Effect.acquireRelease(
  Effect.sync(() => spawn(process.execPath, [join(import.meta.dirname, "../support/steadyServer.ts")])),
  (server) => Effect.sync(() => server.kill())
).pipe(
  Effect.flatMap((server) => Effect.promise(() => once(createInterface({ input: server.stdout }), "line"))),
  Effect.map(([port]) => `http://127.0.0.1:${port}`)
)

const median = (values: ReadonlyArray<number>): number => values.toSorted((a, b) => a - b)[values.length >> 1]!

const program = Effect.gen(function* () {
  const folder = yield* temporaryFolder
  const url = yield* flags.service ? realService : steadyServer
  const ours: Array<Readonly<Record<string, Percentiles>>> = []
  const theirs: Array<Percentiles> = []
  for (let round = 0; round < rounds; round++) {
    const turns = [
      Effect.map(load(url, round), (figures) => void ours.push(figures)),
      Effect.andThen(
        makeWallets(url, round),
        Effect.sync(() => {
          attack(folder, url, round, warmup)
          theirs.push(attack(folder, url, round, seconds))
        })
      )
    ]
    yield* Effect.all(round % 2 === 0 ? turns : turns.toReversed(), { discard: true })
    yield* Console.error(`round ${round + 1}: ${JSON.stringify({ ours: ours[round], vegeta: theirs[round] })}`)
  }
  const medianOf = (all: ReadonlyArray<Percentiles>) => (name: keyof Percentiles) => median(all.map((one) => one[name]))
  const own = (figure: string) => medianOf(ours.map((one) => one[figure]!))
  const compared = percentiles.map((name) => {
    const [mine, other] = [own("serviceTime")(name), medianOf(theirs)(name)]
    const [share, millis] = bounds[name]
    const isSame = Math.abs(mine - other) <= other * share + millis
    return {
      name,
      serviceTime: mine,
      vegeta: other,
      isSame,
      latency: own("latency")(name),
      sendDelay: own("sendDelay")(name)
    }
  })
  yield* Console.log(JSON.stringify({ rate, seconds, rounds, milliseconds: compared }))
  if (compared.some(({ isSame }) => !isSame)) return yield* Effect.fail(new Error("the percentiles differ"))
})

NodeRuntime.runMain(Effect.scoped(program))
