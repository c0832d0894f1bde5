/**
 * Mixed commands at a constant rate in batches, whether those before have been answered or not. What was refused or had no
 * answer is sent again by its key until somebody says that it is done. What is due while too much waits is left out, and
 * tells the pace that it is too much.
 */
import * as Effect from "effect/Effect"
import { HttpConnection } from "../../src/load/HttpConnection.ts"
import { LatencyHistogram } from "../../src/load/LatencyHistogram.ts"
import { makeRandom } from "../cli/KillClient.ts"
import {
  type Account,
  eventsOf,
  type Ledger,
  newAccount,
  type OpenHold,
  type SoakCommand,
  type SoakKind
} from "./Ledger.ts"
import type { SoakRig } from "./SoakRig.ts"

export interface LoadOptions {
  /** Events per second. */
  readonly rate: number
  readonly wallets: number
  readonly seed: number
}

/** Requests at one time. */
const connections = 16

/** Commands of one request at most: a rate of 2,000 events/s is some 50 requests a second. */
const batchCommands = 100

/** What is due and not sent, in seconds of the rate, from which on the load is too much; and beyond which nothing more is made. */
const lateSeconds = 1
const waitingSeconds = 2

/** Between two looks at what is due, ms; and before a command is sent again. */
const tickMillis = 20
const againMillis = 250

/** Longer than a caller of the service waits at most, ms. */
const patienceMillis = 30_000

/** Owners of the wallets: each small enough for statistics of all that it has. */
const owners = 20

/** Of each wallet before the load: no debit of it ever fails. */
const funds = 1_000_000_000_000n

const kinds: ReadonlyArray<SoakKind> = [
  ...Array.from({ length: 6 }, (): SoakKind => "credit"),
  ...Array.from({ length: 4 }, (): SoakKind => "debit"),
  "hold",
  "hold",
  "capture",
  "release",
  "transfer",
  "transfer"
]

const texts = [
  "rent",
  "coffee, two",
  "Größe 42",
  "東京 ticket",
  "naïve_case",
  "refund of ORD-77",
  "🍕 evening",
  "İstanbul"
]

type Body = Readonly<Record<string, unknown>>

export class SoakLoad {
  readonly ledger: Ledger
  readonly #rig: SoakRig
  readonly #random: (below: number) => number
  readonly #waiting: Array<SoakCommand> = []
  readonly latency = new LatencyHistogram()
  /** Answers that sent a command again: 429, 503, none. */
  readonly again = { busy: 0, unavailable: 0, none: 0 }
  /** Answers that a command of this load must never have. */
  readonly wrong: Array<string> = []
  wrongCount = 0
  /** Events per second, for now. */
  rate: number
  /** More was due lately than could be sent. */
  isLate = false
  /** The longest time without any acknowledgement, ms. */
  longestGapMillis = 0
  #lastAt = 0
  #made = 0
  #open = 0
  #isOn = false

  constructor(rig: SoakRig, ledger: Ledger, options: LoadOptions) {
    this.#rig = rig
    this.ledger = ledger
    this.rate = options.rate
    this.#random = makeRandom(options.seed)
  }

  /** Every command that was sent has been told done. */
  get isSettled(): boolean {
    return this.#open === 0 && this.#waiting.length === 0
  }

  account(): Account {
    const { accounts } = this.ledger
    return accounts[this.#random(accounts.length)]!
  }

  // --- Making ----------------------------------------------------------------

  make(kind: SoakKind, account: Account, amount: bigint, more: { to?: Account; hold?: OpenHold } = {}): SoakCommand {
    const number = this.#made++
    const { hold, to } = more
    const isNew = kind !== "capture" && kind !== "release"
    const item = JSON.stringify({
      type: kind,
      walletId: account.id,
      idempotencyKey: `soak-${number}`,
      ...(kind === "release" ? {} : { amount: String(amount) }),
      ...(kind === "capture" ? { final: true } : {}),
      ...(hold === undefined ? {} : { holdId: hold.id }),
      ...(to === undefined ? {} : { to: to.id }),
      ...(isNew && this.#random(2) === 0 ? { reference: `${texts[this.#random(texts.length)]} ${number}` } : {}),
      ...(isNew && this.#random(4) === 0
        ? { metadata: { channel: number % 3 === 0 ? "web" : "till", shop: `s${number % 97}` } }
        : {})
    })
    return { kind, account, amount, to, hold, item }
  }

  #next(): SoakCommand {
    const kind = kinds[this.#random(kinds.length)]!
    const account = this.account()
    const amount = BigInt(1 + this.#random(1_000))
    switch (kind) {
      case "transfer": {
        const to = this.account()
        return to === account ? this.make("credit", account, amount) : this.make(kind, account, amount, { to })
      }
      case "capture":
      case "release": {
        const hold = account.holds.shift()
        if (hold === undefined) return this.make("hold", account, amount)
        const taken = kind === "capture" ? 1n + BigInt(this.#random(Number(hold.amount))) : hold.amount
        return this.make(kind, account, taken, { hold })
      }
      default:
        return this.make(kind, account, amount)
    }
  }

  // --- Sending ---------------------------------------------------------------

  #learn(command: SoakCommand, status: number, body: Body): void {
    if (status === 429) this.again.busy++
    else if (status === 503) this.again.unavailable++
    else if (status >= 200 && status < 300) {
      const now = performance.now()
      this.longestGapMillis = Math.max(this.longestGapMillis, now - this.#lastAt)
      this.#lastAt = now
      this.#open--
      return this.ledger.acknowledged(command, (body["hold"] as { readonly id: string } | undefined)?.id)
    } else {
      this.#open--
      if (this.wrongCount++ < 20) this.wrong.push(`${command.item} was answered ${status} ${JSON.stringify(body)}`)
      return
    }
    this.#sendAgain([command])
  }

  #sendAgain(commands: ReadonlyArray<SoakCommand>): void {
    this.#open -= commands.length
    this.#waiting.unshift(...commands)
  }

  #send = Effect.fnUntraced(
    { self: this },
    function* (connection: HttpConnection, commands: ReadonlyArray<SoakCommand>) {
      this.#open += commands.length
      const startedAt = performance.now()
      const { apiKey, service } = this.#rig
      const head =
        `POST /v1/batch HTTP/1.1\r\nhost: ${new URL(service.url).host}\r\nauthorization: Bearer ${apiKey}\r\n` +
        "content-type: application/json\r\n"
      const answer = yield* connection
        .request(head, `{"commands":[${commands.map(({ item }) => item).join(",")}]}`)
        .pipe(
          Effect.timeoutOption(patienceMillis),
          Effect.catch(() => Effect.succeedNone)
        )
      if (answer._tag === "None") {
        this.again.none += commands.length
        this.#sendAgain(commands)
        return false
      }
      const { body, status } = answer.value
      if (status !== 200) {
        commands.forEach((command) => this.#learn(command, status, {}))
        return false
      }
      this.latency.record((performance.now() - startedAt) * 1_000)
      const { results } = JSON.parse(body) as { readonly results: ReadonlyArray<{ status: number; body: Body }> }
      commands.forEach((command, place) => this.#learn(command, results[place]!.status, results[place]!.body))
      return results.every((result) => result.status < 300)
    }
  )

  #sender = (connection: HttpConnection) =>
    Effect.gen({ self: this }, function* () {
      while (this.#isOn || !this.isSettled) {
        const commands = this.#waiting.splice(0, batchCommands)
        if (commands.length === 0) yield* Effect.sleep(tickMillis)
        else if (!(yield* this.#send(connection, commands))) yield* Effect.sleep(againMillis)
      }
    })

  readonly #senders = Effect.suspend(() =>
    Effect.forEach(
      Array.from({ length: connections }),
      () =>
        Effect.acquireUseRelease(
          Effect.sync(() => new HttpConnection(new URL(this.#rig.service.url))),
          this.#sender,
          (connection) => Effect.sync(() => connection.close())
        ),
      { concurrency: "unbounded", discard: true }
    )
  )

  readonly #arrivals = Effect.gen({ self: this }, function* () {
    let due = 0
    let before = performance.now()
    while (this.#isOn) {
      const now = performance.now()
      due += ((now - before) * this.rate) / 1_000
      before = now
      while (due > 0 && this.#waiting.length < waitingSeconds * this.rate) {
        const command = this.#next()
        due -= eventsOf(command)
        this.#waiting.push(command)
      }
      if (this.#waiting.length > lateSeconds * this.rate) this.isLate = true
      // What finds no room is left out.
      due = Math.min(due, 0)
      yield* Effect.sleep(tickMillis)
    }
  })

  /** Until `stop`, and then until everything has been told done. */
  readonly run = Effect.suspend(() => {
    this.#isOn = true
    this.#lastAt = performance.now()
    return Effect.all([this.#arrivals, this.#senders], { concurrency: 2, discard: true })
  })

  stop(): void {
    this.#isOn = false
  }

  /** Each wallet's first credit. */
  readonly fund = Effect.suspend(() => {
    this.#waiting.push(...this.ledger.accounts.map((account) => this.make("credit", account, funds)))
    this.#lastAt = performance.now()
    return this.#senders
  })
}

export const accountsFor = ({ wallets }: LoadOptions): ReadonlyArray<Account> =>
  Array.from({ length: wallets }, (_, number) =>
    newAccount(`w${number}`, `owner-${number % Math.min(owners, wallets)}`)
  )
