/**
 * By hand: `node test/load/vegeta.ts [--rate 500] [--seconds 15] [--rounds 5]`.
 *
 * `wallet load` beside vegeta, a load generator of another hand: the same credits at the same constant rate to the same
 * real service on PostgreSQL, in turns. Where nothing stalls both must tell the same percentiles; what differs more than
 * the bounds below ends with 1. Vegeta counts from the real start of a request: that is our `serviceTime`; `latency` counts
 * from the intended start, and so has the load's own delay in it, which is told beside them. Wants `vegeta` on the path or among Go's programs
 * (`go install github.com/tsenart/vegeta/v12@latest`).
 */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import { spawnSync } from "node:child_process"
import { existsSync, writeFileSync } from "node:fs"
import { homedir } from "node:os"
import { join } from "node:path"
import { parseArgs } from "node:util"
import { startPostgres } from "../../bench/servers/PostgresServer.ts"
import { runWallet, startService, temporaryFolder } from "../cli/WalletProcess.ts"

const { values: flags } = parseArgs({
  options: {
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
const targets = (url: string, seconds: number): string =>
  Array.from({ length: rate * seconds }, () =>
    JSON.stringify({
      method: "POST",
      url: `${url}/v1/wallets/v-${requests % wallets}/credit`,
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

const attack = (folder: string, url: string, seconds: number): Percentiles => {
  const file = join(folder, "targets.jsonl")
  writeFileSync(file, targets(url, seconds))
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

const load = Effect.fnUntraced(function* (url: string, round: number) {
  const { code, stderr, stdout } = yield* runWallet(
    `load --url ${url} --rate ${rate} --seconds ${seconds} --warmup ${warmup} --wallets ${wallets} --mix credit=1 --run r${round} --json`.split(
      " "
    ),
    { WALLET_API_KEY: key }
  )
  if (code !== 0) return yield* Effect.die(new Error(`wallet load ended with ${code}: ${stderr}`))
  const { latency, sendDelay, serviceTime } = JSON.parse(stdout)
  return { serviceTime, latency: latency.all, sendDelay } as Readonly<Record<string, Percentiles>>
})

const median = (values: ReadonlyArray<number>): number => values.toSorted((a, b) => a - b)[values.length >> 1]!

const program = Effect.gen(function* () {
  const folder = yield* temporaryFolder
  const { url: database } = yield* startPostgres()
  const service = yield* startService({ DATABASE_URL: Redacted.value(database), WALLET_API_KEY: key })
  for (let n = 0; n < wallets; n++) {
    yield* Effect.promise(() =>
      fetch(`${service.url}/v1/wallets`, {
        method: "POST",
        headers: { authorization: `Bearer ${key}`, "content-type": "application/json", "idempotency-key": `w-${n}` },
        body: JSON.stringify({ id: `v-${n}`, ownerId: "v", currency: "EUR" })
      })
    )
  }
  const ours: Array<Readonly<Record<string, Percentiles>>> = []
  const theirs: Array<Percentiles> = []
  for (let round = 0; round < rounds; round++) {
    ours.push(yield* load(service.url, round))
    attack(folder, service.url, warmup)
    theirs.push(attack(folder, service.url, seconds))
    yield* Console.error(`round ${round + 1}`)
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
