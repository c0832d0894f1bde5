/** The engine of this process under a load. */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { publicData, publicType } from "../domain/PublicEvent.ts"
import type { Await, Durability } from "../engine/EngineApi.ts"
import { WalletEngine } from "../engine/WalletEngine.ts"
import type { LoadCommand } from "./LoadCommand.ts"
import { accepted, type DurabilityLevel, type LoadReply, LoadTarget, notAccepted, ReadFailed } from "./LoadTarget.ts"
import { judgeFailure } from "./Outcome.ts"

type Engine = WalletEngine["Service"]

const furthest = ({ indexed, persisted }: Durability): DurabilityLevel =>
  indexed ? "indexed" : persisted ? "persisted" : "committed"

interface Answer {
  readonly durability: Durability
  readonly replayed: boolean
}

type Failure = { readonly _tag: string; readonly retryAfter?: number }

/** `madeOf`: the id of what was made; `isDone`: nothing of it is on its way any more. */
const settled = <A extends Answer, E extends Failure>(
  effect: Effect.Effect<A, E>,
  madeOf: (answer: A) => string | undefined = () => undefined,
  isDone: (answer: A) => boolean = () => true
): Effect.Effect<LoadReply> =>
  Effect.match(effect, {
    onSuccess: (answer): LoadReply => ({
      ...accepted(furthest(answer.durability), madeOf(answer), answer.replayed),
      tookPlace: isDone(answer) ? "yes" : "maybe"
    }),
    onFailure: ({ _tag, retryAfter }) => notAccepted(_tag, judgeFailure(_tag), retryAfter)
  })

const transactionId = ({ transaction }: { readonly transaction: { readonly id: string } }) => transaction.id
const transferId = ({ transfer }: { readonly transfer: { readonly id: string } }) => transfer.id
const isCompleted = ({ transfer }: { readonly transfer: { readonly status: string } }) => transfer.status !== "pending"

export const legsOf = ({ amount, through, to, walletId }: Extract<LoadCommand, { readonly _tag: "Legs" }>) => [
  { from: walletId, to: through, amount },
  { from: through, to, amount }
]

const send = (engine: Engine, command: LoadCommand, key: string, wait: Await): Effect.Effect<LoadReply> => {
  const { walletId } = command
  const keyed = { idempotencyKey: key, await: wait }
  const named = { ...keyed, reference: key }
  switch (command._tag) {
    case "Create":
      return settled(engine.createWallet({ id: walletId, ownerId: "load", currency: command.currency, ...keyed }))
    case "Credit":
      return settled(engine.credit({ walletId, amount: command.amount, ...named }), transactionId)
    case "Debit":
      return settled(engine.debit({ walletId, amount: command.amount, ...named }), transactionId)
    case "Hold":
      return settled(engine.placeHold({ walletId, amount: command.amount, ...named }), ({ hold }) => hold.id)
    case "Capture":
      return settled(engine.captureHold({ walletId, holdId: command.holdId, ...keyed }))
    case "ChangeHold":
      return settled(engine.changeHold({ walletId, holdId: command.holdId, amount: command.amount, ...keyed }))
    case "CaptureTo": {
      const { amount, holdId, to } = command
      const input = { walletId, holdId, to, amount, final: true, ...keyed }
      return settled(engine.captureHoldTo(input), transactionId, isCompleted)
    }
    case "Transfer": {
      const input = { from: walletId, to: command.to, amount: command.amount, ...named }
      return settled(engine.transfer(input), transferId, isCompleted)
    }
    case "Refund": {
      const { amount, transactionId: refunded } = command
      return settled(engine.refundTransaction({ walletId, transactionId: refunded, amount, ...named }), transactionId)
    }
    case "Legs": {
      const legs = legsOf(command).map((leg) => ({ ...leg, reference: key }))
      return settled(engine.transfer({ legs, ...named }), transferId, isCompleted)
    }
    case "Read":
      return Effect.match(engine.getWallet({ walletId }), {
        onSuccess: () => accepted(),
        onFailure: ({ _tag }) => notAccepted(_tag, judgeFailure(_tag))
      })
  }
}

/** The engine of this process. Commands of a batch are handed over in order, and run beside each other. */
export const layerEngine = (options: { readonly await: Await }): Layer.Layer<LoadTarget, never, WalletEngine> =>
  Layer.effect(
    LoadTarget,
    Effect.map(WalletEngine, (engine) => {
      const one = (command: LoadCommand, key: string) => send(engine, command, key, options.await)
      const read = <A, E extends Failure>(effect: Effect.Effect<A, E>) =>
        Effect.mapError(effect, ({ _tag, retryAfter }) => new ReadFailed({ code: _tag, retryAfter }))
      return {
        send: (_, command, key) => one(command, key),
        sendBatch: (_, commands) =>
          Effect.forEach(commands, ({ command, key }) => one(command, key), { concurrency: "unbounded" }),
        wallet: (_, walletId) => read(engine.getWallet({ walletId })),
        events: (_, walletId, after) =>
          Effect.map(read(engine.events({ walletId, after, limit: 200 })), (events) =>
            events.map(({ event, version }) => ({ version, type: publicType(event), data: publicData(event) }))
          ),
        usage: Effect.undefined
      }
    })
  )
