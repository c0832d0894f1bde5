/** The flags of `wallet load`. */
import * as Argument from "effect/cli/Argument"
import * as Flag from "effect/cli/Flag"
import type * as Command from "effect/cli/Command"
import { arrivalKinds } from "../../load/ArrivalTimes.ts"
import { loadKinds } from "../../load/LoadCommand.ts"
import { durabilities } from "../../load/LoadTarget.ts"
import * as Flags from "../Flags.ts"

const isWhole = (minimum: number, maximum: number) =>
  [
    (value: number) => value >= minimum && value <= maximum,
    () => `a whole number from ${minimum} to ${maximum} is expected`
  ] as const

const whole = (name: string, minimum: number, maximum: number, fallback: number) =>
  Flag.Int(name).pipe(Flag.filter(...isWhole(minimum, maximum)), Flag.withDefault(fallback))

/** More than any machine sends. */
const maxRate = 1_000_000

export const loadFlags = {
  rate: Flag.Finite("rate").pipe(
    Flag.withMetavar("PER_SECOND"),
    Flag.withDescription("Open loop: so many operations are due a second, whatever is answered"),
    Flag.filter(
      (rate) => rate > 0 && rate <= maxRate,
      () => `a number above 0, at most ${maxRate}, is expected`
    ),
    Flag.optional
  ),
  arrivals: Flag.Literals("arrivals", arrivalKinds).pipe(
    Flag.withDescription("Of an open loop: at equal distances, or at random as many users come; drawn from the seed"),
    Flag.withDefault("constant")
  ),
  connections: whole("connections", 1, 10_000, 256).pipe(
    Flag.withDescription(
      "Of an open loop: requests on their way at most; what is due beyond them is sent late, and counted"
    )
  ),
  callers: whole("callers", 1, 10_000, 64).pipe(
    Flag.withDescription("Closed loop: each waits for its answer before it sends again")
  ),
  wallets: whole("wallets", 1, 1_000_000, 1_000).pipe(Flag.withDescription("Made for this run, named load-<run>-<n>")),
  zipf: Flag.Finite("zipf").pipe(
    Flag.withDescription("Exponent of Zipf's law for the choice of wallets; 0: all alike"),
    Flag.filter(
      (exponent) => exponent >= 0 && exponent <= 5,
      () => "a number from 0 to 5 is expected"
    ),
    Flag.withDefault(0)
  ),
  mix: Flag.String("mix").pipe(
    Flag.withMetavar("KIND=WEIGHT,..."),
    Flag.withDescription(`What to send; kinds: ${loadKinds.join(", ")}`),
    Flag.withDefault("credit=60,debit=30,hold=5,read=5")
  ),
  await: Flag.Literals("await", durabilities).pipe(
    Flag.withDescription("How far a command is to be when it is answered"),
    Flag.withDefault("persisted")
  ),
  threads: whole("threads", 1, 64, 1).pipe(
    Flag.withDescription("Threads that send it together, where one is not enough; of a load over HTTP")
  ),
  batch: whole("batch", 1, 1_000, 1).pipe(Flag.withDescription("Operations of one request (credit, debit, transfer)")),
  history: whole("history", 0, 100_000, 0).pipe(
    Flag.withDescription("Credits of each wallet before the load begins: wallets with a past")
  ),
  seconds: whole("seconds", 1, 86_400, 10).pipe(Flag.withDescription("Measured")),
  warmup: whole("warmup", 0, 3_600, 2).pipe(Flag.withDescription("Seconds before that are sent and not counted")),
  drain: whole("drain", 0, 3_600, 30).pipe(
    Flag.withDescription("Seconds after that for what is late or has no answer; then that is missed or unknown")
  ),
  scenario: Flag.String("scenario").pipe(
    Flag.withMetavar("FILE"),
    Flag.withDescription("Open loop in phases, as a JSON file tells them, in place of --rate, --seconds and --warmup"),
    Flag.optional
  ),
  findKnee: Flag.Boolean("find-knee").pipe(
    Flag.withDescription("Loads of growing rate, from --rate (default 100) on, until one is too much"),
    Flag.withDefault(false)
  ),
  slo: Flag.Finite("slo").pipe(
    Flag.withMetavar("MILLISECONDS"),
    Flag.withDescription("Of --find-knee: what the p99 may be"),
    Flag.filter(
      (millis) => millis > 0,
      () => "a number above 0 is expected"
    ),
    Flag.withDefault(50)
  ),
  threshold: Flag.String("threshold").pipe(
    Flag.withMetavar("BOUND,..."),
    Flag.withDescription(
      "Exit with 3 where one is not kept: p99<10ms,credit.max<1s,goodput>20000,failed<=0,refused<1%"
    ),
    Flag.optional
  ),
  report: Flag.String("report").pipe(
    Flag.withMetavar("FILE"),
    Flag.withDescription("Write a page of HTML with all figures and charts, which needs nothing else"),
    Flag.optional
  ),
  compare: Flag.Boolean("compare").pipe(
    Flag.withDescription(
      "Send nothing; put documents of --json side by side: each FILES is a side, its runs by commas"
    ),
    Flag.withDefault(false)
  ),
  seed: Flag.String("seed").pipe(
    Flag.withDescription("The same one sends the same commands at the same times"),
    Flag.withDefault("1")
  ),
  run: Flag.String("run").pipe(
    Flag.withDescription("Name of this run in its wallets and keys, default from the clock; each only once"),
    Flag.filter(
      (name) => /^[A-Za-z0-9_-]{1,40}$/.test(name),
      () => "1 to 40 of A-Z a-z 0-9 _ - are expected"
    ),
    Flag.optional
  ),
  checkSeconds: whole("check-seconds", 0, 86_400, 600).pipe(
    Flag.withDescription("For the check of what the service kept; 0: no check")
  ),
  library: Flag.Boolean("library").pipe(
    Flag.withDescription("Drive an engine of this process on the configured stores, without HTTP"),
    Flag.withDefault(false)
  ),
  url: Flags.url,
  toOwners: Flag.Boolean("to-owners").pipe(
    Flag.withDescription(
      "Of several nodes that say where they are (WALLET_NODE_URL): send commands straight to the owners of their wallets"
    ),
    Flag.withDefault(false)
  ),
  takeover: Flags.takeover,
  json: Flags.json,
  files: Argument.String("files").pipe(
    Argument.withDescription("Of --compare: a1.json,a2.json,a3.json b1.json,b2.json,b3.json"),
    Argument.variadic()
  )
}

export type LoadFlags = Command.Command.Config.Infer<typeof loadFlags>
