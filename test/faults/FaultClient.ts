/**
 * Many clients of one installation under faults: mixed commands over keep-alive
 * connections, keys repeated, everything retried by its key until somebody says what
 * became of it; and what was answered meanwhile.
 */
import * as Effect from "effect/Effect"
import { type ConnectionBroken, type HttpReply, HttpConnection } from "../../src/load/HttpConnection.ts"
import { makeRandom } from "../cli/KillClient.ts"
import { invalid } from "./InvalidRequests.ts"
import {
  type AnswerClass,
  type Body,
  type Kind,
  learn,
  sending,
  type SentCommand,
  type Trail,
  versionOf
} from "./ClientView.ts"

export { makeRandom }

export type Phase = "before" | "fault" | "after"

/** Longer than a caller of the service waits at most. */
const patienceMillis = 20_000

/** Untrue answers that are kept as texts; all are counted. */
const keptUntrue = 20

/** What a caller sends its requests on, one at a time. */
export interface Requests {
  readonly request: (head: string, body: string) => Effect.Effect<HttpReply, ConnectionBroken>
  readonly close: () => void
}

export interface ClientOptions {
  readonly connections: number
  readonly seed: number
  readonly apiKey: string
  /** Wallets made at the start, each with money. */
  readonly wallets: number
  /** Which kinds, as often as they stand here. */
  readonly kinds: ReadonlyArray<Kind>
  /** Answers awaited: `persisted` is the default of the service. */
  readonly awaits: ReadonlyArray<"committed" | "persisted" | "indexed">
  /** Requests with several commands, of 100. */
  readonly batchPercent: number
  /** Of those, with all their commands on one wallet, of 100; default 0. */
  readonly oneWalletPercent?: number
  /** Commands that a rule of the user's refuses, of 100. */
  readonly forbiddenPercent: number
  /** Amount of the first credit of each wallet, minor units. */
  readonly funds: string
  /**
   * An answer is waited for so long; default: longer than the service's callers wait. With a
   * shorter one a retry may overtake the try before it, where there are several nodes.
   */
  readonly patienceMillis?: number
}

export const mixedKinds: ReadonlyArray<Kind> = [
  ...Array.from({ length: 8 }, (): Kind => "credit"),
  ...Array.from({ length: 5 }, (): Kind => "debit"),
  ...Array.from({ length: 3 }, (): Kind => "hold"),
  ...Array.from({ length: 4 }, (): Kind => "transfer"),
  "capture",
  "capture",
  "release",
  "create"
]

export const movementKinds: ReadonlyArray<Kind> = ["credit", "credit", "debit"]

export const defaultClient = {
  connections: 64,
  apiKey: "a-secret-of-our-own-0123456789",
  wallets: 200,
  kinds: mixedKinds,
  awaits: ["persisted", "persisted", "persisted", "committed", "indexed"],
  batchPercent: 8,
  forbiddenPercent: 0,
  funds: "1000000000"
} satisfies Omit<ClientOptions, "seed">

/** An answer that said that PostgreSQL has the wallet's event of that version. */
export interface Claimed {
  readonly walletId: string
  readonly version: number
}

export class FaultClient {
  readonly options: ClientOptions
  readonly commands: Array<SentCommand> = []
  readonly wallets: Array<string> = []
  readonly untrue: Array<string> = []
  untrueCount = 0
  readonly answers: Record<Phase, Record<AnswerClass, number>> = {
    before: { full: 0, accepted: 0, unavailable: 0, none: 0 },
    fault: { full: 0, accepted: 0, unavailable: 0, none: 0 },
    after: { full: 0, accepted: 0, unavailable: 0, none: 0 }
  }
  phase: Phase = "before"
  /** When an answer last was not all that was asked for, and when one was; `performance.now()`, ms. */
  lastPoor = 0
  lastFull = 0
  /** The longest that a caller has waited, by phase, ms. */
  readonly slowest: Record<Phase, number> = { before: 0, fault: 0, after: 0 }
  readonly random: (below: number) => number
  /** Told of some of the answers that said `persisted`. */
  onPersisted: (claimed: Claimed) => void = () => undefined
  /** Makes what a caller sends on. */
  connect: () => Requests = () => new HttpConnection(this.url)
  url: URL
  running = false
  /** Callers, and turns of callers, so far. */
  callers = 0
  turns = 0
  private readonly holds = new Map<string, Array<string>>()
  private readonly name: string

  constructor(options: ClientOptions, url: string, name = "k") {
    this.options = options
    this.url = new URL(url)
    this.name = name
    this.random = makeRandom(options.seed)
  }

  count(answer: AnswerClass, millis: number): void {
    this.answers[this.phase][answer]++
    this.slowest[this.phase] = Math.max(this.slowest[this.phase], millis)
    if (answer === "full") this.lastFull = performance.now()
    else this.lastPoor = performance.now()
  }

  say(command: Pick<SentCommand, "kind" | "key" | "walletId">, untrue: string | undefined): void {
    if (untrue === undefined) return
    this.untrueCount++
    if (this.untrue.length < keptUntrue) {
      this.untrue.push(`${command.kind} ${command.key} of ${command.walletId}: ${untrue}`)
    }
  }

  pick<A>(from: ReadonlyArray<A>): A {
    return from[this.random(from.length)]!
  }

  /** A quarter of the commands go to a few wallets. */
  wallet(): string {
    const { wallets } = this
    return wallets[this.random(this.random(4) === 0 ? Math.min(8, wallets.length) : wallets.length)]!
  }

  add(command: Omit<SentCommand, "key" | "view" | "unanswered" | "overlapped">): SentCommand {
    const sent: SentCommand = {
      ...command,
      key: `${this.name}${this.commands.length}`,
      view: { _tag: "Open" },
      unanswered: 0,
      overlapped: false
    }
    this.commands.push(sent)
    return sent
  }

  /** What `UserRules.ts` refuses. */
  private forbidden(): SentCommand {
    const walletId = this.wallet()
    const wallet = `/v1/wallets/${walletId}`
    const amount = "5000"
    const to = this.wallet()
    switch (this.random(to === walletId ? 4 : 5)) {
      case 0:
        return this.add({ kind: "debit", walletId, path: `${wallet}/debit`, body: { amount }, forbidden: true })
      case 1: {
        const body = { amount: "50", reference: "gift" }
        return this.add({ kind: "credit", walletId, path: `${wallet}/credit`, body, forbidden: true })
      }
      case 2:
        return this.add({ kind: "hold", walletId, path: `${wallet}/holds`, body: { amount }, forbidden: true })
      case 3: {
        const body = { amount: "777777" }
        return this.add({ kind: "credit", walletId, path: `${wallet}/credit`, body, forbidden: true })
      }
      default: {
        const body = { from: walletId, to, amount }
        return this.add({ kind: "transfer", walletId, path: "/v1/transfers", body, forbidden: true })
      }
    }
  }

  next(forBatch: boolean, onWallet?: string): SentCommand {
    if (this.random(100) < this.options.forbiddenPercent) return this.forbidden()
    const wanted = this.pick(this.options.kinds)
    const walletId = onWallet ?? this.wallet()
    const holds = this.holds.get(walletId) ?? []
    const needsHold = wanted === "capture" || wanted === "release"
    const kind = (needsHold && holds.length === 0) || (wanted === "create" && forBatch) ? "credit" : wanted
    const amount = String(1 + this.random(100))
    const wallet = `/v1/wallets/${walletId}`
    const hold = `${wallet}/holds/${holds.length === 0 ? "" : this.pick(holds)}`
    switch (kind) {
      case "create":
        return this.create(`${this.name}w${this.wallets.length}-${this.commands.length}`)
      case "credit":
        return this.add({ kind, walletId, path: `${wallet}/credit`, body: { amount, reference: "load" } })
      case "debit":
        return this.add({ kind, walletId, path: `${wallet}/debit`, body: { amount } })
      case "hold":
        return this.add({ kind, walletId, path: `${wallet}/holds`, body: { amount } })
      case "capture":
        return this.add({ kind, walletId, path: `${hold}/capture`, body: { amount: "1", final: this.random(2) === 0 } })
      case "release":
        return this.add({ kind, walletId, path: `${hold}/release`, body: {} })
      case "transfer": {
        const to = this.wallet()
        if (to === walletId) {
          return this.add({ kind: "credit", walletId, path: `${wallet}/credit`, body: { amount } })
        }
        return this.add({ kind, walletId, path: "/v1/transfers", body: { from: walletId, to, amount } })
      }
    }
  }

  create(id: string): SentCommand {
    const body = { id, ownerId: "faults", currency: "EUR" }
    return this.add({ kind: "create", walletId: id, path: "/v1/wallets", body })
  }

  /** What an answer tells; remembers holds and wallets that are there. */
  learn(command: SentCommand, status: number, body: Body): AnswerClass {
    const before = command.view._tag
    const told = learn(command, status, body)
    if (command.trail !== undefined && told.class === "unavailable") command.trail.refused = true
    this.say(command, told.untrue)
    if (command.view._tag === "Acknowledged") {
      const version = versionOf(body)
      const { persisted } = (body["durability"] ?? {}) as { readonly persisted?: boolean }
      if (version !== undefined && persisted === true) this.onPersisted({ walletId: command.walletId, version })
      if (before !== "Acknowledged") this.remember(command, body)
    }
    return told.class
  }

  private remember(command: SentCommand, body: Body): void {
    if (command.kind === "create") this.wallets.push(command.walletId)
    if (command.kind !== "hold") return
    const { id } = body["hold"] as { readonly id: string }
    this.holds.set(command.walletId, [...(this.holds.get(command.walletId) ?? []).slice(-20), id])
  }
}

/** The answer's status and document; `undefined`: none came. */
const request = (client: FaultClient, connection: Requests, path: string, key: string | undefined, body: Body) =>
  Effect.suspend(() => {
    const started = performance.now()
    const keyLine = key === undefined ? "" : `idempotency-key: ${key}\r\n`
    const head =
      `POST ${path} HTTP/1.1\r\nhost: ${client.url.host}\r\nauthorization: Bearer ${client.options.apiKey}\r\n` +
      `content-type: application/json\r\n${keyLine}`
    return connection.request(head, JSON.stringify(body)).pipe(
      Effect.timeout(client.options.patienceMillis ?? patienceMillis),
      Effect.map(({ body, status }) => ({
        status,
        body: JSON.parse(body) as Body,
        millis: performance.now() - started
      })),
      Effect.catch(() => {
        client.count("none", performance.now() - started)
        return Effect.undefined
      })
    )
  })

/** Sends one command once; answers whether there was an answer. */
export const sendOne = Effect.fnUntraced(function* (
  client: FaultClient,
  connection: Requests,
  command: SentCommand,
  wait = client.pick(client.options.awaits)
) {
  sending(command)
  const path = wait === "persisted" ? command.path : `${command.path}?await=${wait}`
  const answer = yield* request(client, connection, path, command.key, command.body)
  if (answer === undefined) return false
  client.count(client.learn(command, answer.status, answer.body), answer.millis)
  return true
})

const holdIdIn = /\/holds\/([^/]+)\//

const itemOf = (command: SentCommand): Body => {
  const holdId = holdIdIn.exec(command.path)?.[1]
  const { from: _, ...body } = command.body
  return {
    type: command.kind,
    walletId: command.walletId,
    idempotencyKey: command.key,
    ...(holdId === undefined ? {} : { holdId }),
    ...body
  }
}

const rank: Readonly<Record<AnswerClass, number>> = { full: 0, accepted: 1, unavailable: 2, none: 3 }

/** Sends several commands in one request. */
const sendBatch = Effect.fnUntraced(function* (
  client: FaultClient,
  connection: Requests,
  commands: ReadonlyArray<SentCommand>
) {
  commands.forEach(sending)
  const answer = yield* request(client, connection, "/v1/batch", undefined, { commands: commands.map(itemOf) })
  if (answer === undefined) return
  if (answer.status !== 200) {
    client.count("unavailable", answer.millis)
    if (answer.status !== 503) client.say(commands[0]!, `its batch was answered ${answer.status}`)
    return
  }
  const results = answer.body["results"] as ReadonlyArray<{ readonly status: number; readonly body: Body }>
  const classes = commands.map((command, index) => client.learn(command, results[index]!.status, results[index]!.body))
  client.count(
    classes.reduce((worst, one) => (rank[one] > rank[worst] ? one : worst), "full"),
    answer.millis
  )
})

const isOpen = ({ view }: SentCommand) => view._tag === "Open"

/** Until each is settled, or the load ends. */
const settleAll = Effect.fnUntraced(function* (
  client: FaultClient,
  connection: Requests,
  commands: ReadonlyArray<SentCommand>,
  caller: number
) {
  const turn = ++client.turns
  const askedAt = performance.now()
  const trails = commands.map((command, place): Trail => {
    const trail = { caller, turn, place, askedAt, round: 0, settledAt: undefined, refused: false, shared: false }
    command.trail = trail
    return trail
  })
  const markSettled = () =>
    commands.forEach((command, place) => {
      if (!isOpen(command)) trails[place]!.settledAt ??= performance.now()
    })
  while (client.running) {
    // Another caller may have settled one meanwhile, by the same key.
    markSettled()
    const open = commands.filter(isOpen)
    if (open.length === 0) return
    for (const trail of trails) if (trail.settledAt === undefined) trail.round++
    if (open.length > 1) yield* sendBatch(client, connection, open)
    else yield* sendOne(client, connection, open[0]!)
    markSettled()
    if (commands.some(isOpen)) yield* Effect.sleep(20 + client.random(80))
  }
})

const sendInvalid = Effect.fnUntraced(function* (client: FaultClient, connection: Requests) {
  const [expected, path, key, body] = invalid(client.random)
  const answer = yield* request(client, connection, path, key, body)
  if (answer === undefined) return
  const { millis, status } = answer
  const poor = status === 503 || status === 429
  client.count(poor ? "unavailable" : "full", millis)
  const code = String(answer.body["code"])
  if (code === expected || (poor && expected !== "InvalidRequest")) return
  client.say({ kind: "credit", key, walletId: path }, `${code} (${status}) instead of ${expected}`)
})

const oneTurn = Effect.fnUntraced(function* (client: FaultClient, connection: Requests, caller: number) {
  const draw = client.random(100)
  if (draw < 3) return yield* sendInvalid(client, connection)
  if (draw < 7) {
    const recent = client.commands[Math.max(0, client.commands.length - 1 - client.random(500))]!
    if (recent.trail !== undefined) recent.trail.shared = true
    yield* sendOne(client, connection, recent)
    if (isOpen(recent)) yield* Effect.sleep(50)
    return
  }
  const size = draw < 7 + client.options.batchPercent ? 2 + client.random(9) : 1
  const oneWallet =
    size > 1 && client.random(100) < (client.options.oneWalletPercent ?? 0) ? client.wallet() : undefined
  const commands = Array.from({ length: size }, () => client.next(size > 1, oneWallet))
  yield* settleAll(client, connection, commands, caller)
})

/** Opened, used, closed. */
export const withConnection = <A, E, R>(
  client: FaultClient,
  use: (connection: Requests) => Effect.Effect<A, E, R>
): Effect.Effect<A, E, R> =>
  Effect.acquireUseRelease(
    Effect.sync(() => client.connect()),
    use,
    (connection) => Effect.sync(() => connection.close())
  )

/** Every connection sends until the load is stopped, or that many commands were made. */
export const runLoad = (client: FaultClient, commands = Number.POSITIVE_INFINITY): Effect.Effect<void> =>
  Effect.suspend(() => {
    client.running = true
    const last = client.commands.length + commands
    return Effect.forEach(
      Array.from({ length: client.options.connections }, () => ++client.callers),
      (caller) =>
        withConnection(client, (connection) =>
          Effect.whileLoop({
            while: () => client.running && client.commands.length < last,
            body: () => oneTurn(client, connection, caller),
            step: () => undefined
          })
        ),
      { concurrency: "unbounded", discard: true }
    )
  })

/** Sends until it is settled. */
const settle = (client: FaultClient, connection: Requests, command: SentCommand) =>
  Effect.gen(function* () {
    while (isOpen(command)) {
      yield* sendOne(client, connection, command)
      if (isOpen(command)) yield* Effect.sleep(50)
    }
  })

/** Sixteen at a time, each until it is settled. */
export const settleEach = (client: FaultClient, commands: ReadonlyArray<SentCommand>): Effect.Effect<void> =>
  Effect.forEach(commands, (command) => withConnection(client, (connection) => settle(client, connection, command)), {
    concurrency: 16,
    discard: true
  })

/** The wallets that the load begins with, each with money. */
export const openWallets = Effect.fnUntraced(function* (client: FaultClient) {
  const ids = Array.from({ length: client.options.wallets }, (_, index) => `w${index}`)
  yield* settleEach(
    client,
    ids.map((id) => client.create(id))
  )
  const funds = ids.map((walletId, index): SentCommand => ({
    key: `fund${index}`,
    kind: "credit",
    walletId,
    path: `/v1/wallets/${walletId}/credit`,
    body: { amount: client.options.funds },
    view: { _tag: "Open" },
    unanswered: 0,
    overlapped: false
  }))
  client.commands.push(...funds)
  yield* settleEach(client, funds)
})

/** After the faults: what is open is sent again, but for every eighth, which nobody asks about any more. */
export const settleOpen = (client: FaultClient): Effect.Effect<void> =>
  Effect.suspend(() =>
    settleEach(
      client,
      client.commands.filter(isOpen).filter(() => client.random(8) > 0)
    )
  )

/** A sample of what was acknowledged is sent once more: the first answer comes again, or it is untrue. */
export const sendAgain = (client: FaultClient, sample: number): Effect.Effect<void> =>
  Effect.suspend(() => {
    const known = client.commands.filter(({ view }) => view._tag === "Acknowledged")
    const chosen = Array.from({ length: Math.min(sample, known.length) }, () => client.pick(known))
    return Effect.forEach(
      new Set(chosen),
      (command) => withConnection(client, (connection) => sendOne(client, connection, command, "committed")),
      { concurrency: 16, discard: true }
    )
  })
