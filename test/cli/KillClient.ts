/**
 * Many clients of one service that dies under them, and what each of them may
 * believe of its commands: acknowledged, rejected, or unknown.
 */
import * as Effect from "effect/Effect"

export type Kind = "credit" | "debit" | "hold" | "capture" | "release" | "freeze" | "unfreeze"

/** What the client knows: `open` until an answer says more. */
export type Belief =
  | { readonly _tag: "Open" }
  | { readonly _tag: "Acknowledged"; readonly version: number; readonly body: Readonly<Record<string, unknown>> }
  | { readonly _tag: "Rejected"; readonly code: string }

export interface SentCommand {
  readonly key: string
  readonly kind: Kind
  readonly walletId: string
  readonly path: string
  readonly body: Readonly<Record<string, unknown>>
  belief: Belief
}

/** Small and seeded: the same run again. */
export const makeRandom = (seed: number): ((below: number) => number) => {
  let state = seed >>> 0
  return (below) => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296) * below) | 0
  }
}

export interface KillClient {
  readonly commands: Array<SentCommand>
  /** Holds that the client knows to be there, by wallet. */
  readonly holds: Map<string, Array<string>>
  readonly random: (below: number) => number
  readonly apiKey: string
}

interface Answer {
  readonly status: number
  readonly replayed: boolean
  readonly body: Readonly<Record<string, unknown>>
}

/** `undefined`: no answer, the service is gone. */
const post = (url: string, client: KillClient, command: Pick<SentCommand, "path" | "key" | "body">) =>
  Effect.promise(async (): Promise<Answer | undefined> => {
    try {
      const response = await fetch(url + command.path, {
        method: "POST",
        headers: {
          authorization: `Bearer ${client.apiKey}`,
          "content-type": "application/json",
          "idempotency-key": command.key
        },
        body: JSON.stringify(command.body)
      })
      const body = (await response.json()) as Readonly<Record<string, unknown>>
      return { status: response.status, replayed: response.headers.get("idempotency-replayed") === "true", body }
    } catch {
      return undefined
    }
  })

/** Weights: money first, freezing seldom, or nothing else would be let through. */
const kinds: ReadonlyArray<Kind> = [
  ...Array.from({ length: 8 }, (): Kind => "credit"),
  ...Array.from({ length: 5 }, (): Kind => "debit"),
  ...Array.from({ length: 4 }, (): Kind => "hold"),
  "capture",
  "capture",
  "release",
  "freeze",
  "unfreeze",
  "unfreeze"
]

const nextCommand = (client: KillClient, wallets: ReadonlyArray<string>): SentCommand => {
  const { random } = client
  const walletId = wallets[random(wallets.length)] ?? ""
  const holds = client.holds.get(walletId) ?? []
  const wanted = kinds[random(kinds.length)] ?? "credit"
  const kind = (wanted === "capture" || wanted === "release") && holds.length === 0 ? "hold" : wanted
  const key = `k${client.commands.length}`
  const base = `/v1/wallets/${walletId}`
  const amount = String(1 + random(100))
  const holdId = holds[random(holds.length)] ?? ""
  const shapes: Readonly<Record<Kind, Pick<SentCommand, "path" | "body">>> = {
    credit: { path: `${base}/credit`, body: { amount } },
    debit: { path: `${base}/debit`, body: { amount, reference: "r" } },
    hold: { path: `${base}/holds`, body: { amount } },
    capture: { path: `${base}/holds/${holdId}/capture`, body: { amount: "1", final: random(2) === 0 } },
    release: { path: `${base}/holds/${holdId}/release`, body: {} },
    freeze: { path: `${base}/freeze`, body: {} },
    unfreeze: { path: `${base}/unfreeze`, body: { reason: "thaw" } }
  }
  const command: SentCommand = { key, kind, walletId, ...shapes[kind], belief: { _tag: "Open" } }
  client.commands.push(command)
  return command
}

const versionOf = (body: Readonly<Record<string, unknown>>): number =>
  (body.wallet as { readonly version: number }).version

/** The service has too much to do, or does not know: whoever asks later is told. */
const isLater = ({ status }: Answer): boolean => status === 429 || status === 503

const learn = (client: KillClient, command: SentCommand, answer: Answer): void => {
  const { body, status } = answer
  if (status === 200 || status === 201 || status === 202) {
    command.belief = { _tag: "Acknowledged", version: versionOf(body), body }
    if (command.kind !== "hold") return
    const hold = body.hold as { readonly id: string }
    client.holds.set(command.walletId, [...(client.holds.get(command.walletId) ?? []).slice(-20), hold.id])
    return
  }
  // Nothing is promised either way: the command stays open. So it does while an earlier sending of it is under way.
  if (isLater(answer) || body.code === "IdempotencyInProgress") return
  if (status === 422 || status === 404) {
    command.belief = { _tag: "Rejected", code: String(body.code) }
    return
  }
  throw new Error(`${command.path} was answered ${status}: ${JSON.stringify(body)}`)
}

/** Sends once; answers whether the service still answers. */
export const send = (url: string, client: KillClient, command: SentCommand) =>
  Effect.map(post(url, client, command), (answer) => {
    if (answer === undefined) return false
    learn(client, command, answer)
    return true
  })

/** One connection's life: command after command, each retried until it is settled, until the service is gone. */
export const keepSending = (url: string, client: KillClient, wallets: ReadonlyArray<string>, settled: () => void) =>
  Effect.gen(function* () {
    for (;;) {
      const command = nextCommand(client, wallets)
      while (command.belief._tag === "Open") {
        if (!(yield* send(url, client, command))) return
      }
      settled()
    }
  })

/** Sends an acknowledged command again and answers what differs from the first answer, if anything. */
export const sendAgain = (url: string, client: KillClient, command: SentCommand) =>
  Effect.map(Effect.repeat(post(url, client, command), { while: (a) => a !== undefined && isLater(a) }), (answer) => {
    if (answer === undefined || command.belief._tag !== "Acknowledged") return "no answer"
    if (!answer.replayed) return `answered ${answer.status} as if it were new: ${JSON.stringify(answer.body)}`
    const { durability: _, ...now } = answer.body
    const { durability: __, ...then } = command.belief.body
    return JSON.stringify(now) === JSON.stringify(then)
      ? undefined
      : `first ${JSON.stringify(then)}, now ${JSON.stringify(now)}`
  })
