/** A command over the API: its form, which is judged here as the engine would, its request and its answer. */
import * as Effect from "effect/Effect"
import type * as HttpClientResponse from "effect/http/HttpClientResponse"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import type { CommandError } from "../actors/EngineError.ts"
import { type ClientCommand, malformed } from "../domain/CommandForm.ts"
import { bothInvalid } from "../domain/Decision.ts"
import { InvalidRequest } from "../domain/Rejection.ts"
import { type CommandOrigin, malformedOrigin, ownLimit } from "../engine/CommandOrigin.ts"
import type { Await, CommandOptions, DryRun } from "../engine/EngineApi.ts"
import { CorrelationId, type FailureOf, type FailureTag, isReplayed } from "./RemoteCalls.ts"
import type { Asked } from "./RemoteFailures.ts"
import type { RemoteService } from "./RemoteService.ts"

const everyFailure: { readonly [Tag in CommandError["_tag"]]: true } = {
  WalletNotFound: true,
  WalletAlreadyExists: true,
  WalletClosed: true,
  WalletFrozen: true,
  WalletNotEmpty: true,
  CurrencyMismatch: true,
  SameWallet: true,
  HoldNotFound: true,
  HoldClosed: true,
  HoldAmountExceeded: true,
  TransferNotFound: true,
  InsufficientFunds: true,
  LimitExceeded: true,
  RefundExceeded: true,
  NotRefundable: true,
  PolicyRejected: true,
  KeyLimitExceeded: true,
  InvalidRequest: true,
  IdempotencyKeyReused: true,
  VersionMismatch: true,
  PolicyDefect: true,
  MailboxFull: true,
  OutcomeUnknown: true,
  OperationRefused: true,
  OperationReversed: true,
  StoreUnavailable: true,
  StoreDefect: true,
  EventUnreadable: true,
  AccessDenied: true
}

/** What every command can fail with. */
export const commandFailures = Object.keys(everyFailure) as ReadonlyArray<CommandError["_tag"]>

/** What a command, or a dry run of one, is asked with. */
interface AskedOptions extends Omit<CommandOptions, "dryRun" | "idempotencyKey"> {
  readonly dryRun?: boolean | undefined
  readonly idempotencyKey?: string | undefined
  readonly ifVersion?: number | undefined
}

export const originOf = (options: AskedOptions): CommandOrigin => {
  const { actor = null, await: wanted = "persisted", correlationId = null, dryRun = false } = options
  const { idempotencyKey, ifVersion = null, limit } = options
  return { actor, await: wanted, correlationId, dryRun, idempotencyKey, ifVersion, limit: ownLimit(limit) }
}

/** A bound that was asked for is not passed over: the service has it with its key, and takes none from elsewhere. */
const foreignLimit = ({ limit }: CommandOrigin): InvalidRequest | undefined =>
  limit === undefined
    ? undefined
    : new InvalidRequest({ detail: "limit: a remote engine's commands have the limits of its API key" })

/** What goes with every command. */
export interface CommandParts {
  readonly headers: { readonly "idempotency-key": string }
  readonly walletHeaders: { readonly "idempotency-key": string; readonly "if-match"?: number }
  readonly query: { readonly await: Await; readonly dryRun?: boolean }
}

const partsOf = ({ await: wanted, dryRun, idempotencyKey = "", ifVersion }: CommandOrigin): CommandParts => ({
  headers: { "idempotency-key": idempotencyKey },
  walletHeaders: { "idempotency-key": idempotencyKey, ...(ifVersion === null ? {} : { "if-match": ifVersion }) },
  query: dryRun ? { await: wanted, dryRun } : { await: wanted }
})

/** A reply, and that to a dry run. */
interface Replies<Reply, Dry> {
  readonly reply: Schema.ConstraintDecoder<Reply>
  readonly dry: Schema.ConstraintDecoder<Dry>
  /** Whether it is about what was asked for. */
  readonly isOurs: (answer: Reply | Dry) => boolean
}

export type Answered<Reply, Dry> = (Reply & { readonly replayed: boolean }) | (Dry & { readonly replayed: false })

class NotOurs extends Error {}

const isDry = (json: unknown): boolean => typeof json === "object" && json !== null && "dryRun" in json

const reading = <Reply extends object, Dry extends object>(
  isDryRun: boolean,
  { dry, isOurs, reply }: Replies<Reply, Dry>
) => {
  const [readReply, readDry] = [Schema.decodeUnknownEffect(reply), Schema.decodeUnknownEffect(dry)]
  const own = <A extends Reply | Dry>(answer: A) =>
    isOurs(answer) ? Effect.succeed(answer) : Effect.fail(new NotOurs())
  return (
    json: unknown,
    response: HttpClientResponse.HttpClientResponse
  ): Effect.Effect<Answered<Reply, Dry>, unknown> => {
    if (isDryRun && isDry(json)) {
      return Effect.map(Effect.flatMap(readDry(json), own), (answer) => ({ ...answer, replayed: false as const }))
    }
    if (isDry(json)) return Effect.fail(new NotOurs())
    return Effect.map(Effect.flatMap(readReply(json), own), (answer) => ({ ...answer, replayed: isReplayed(response) }))
  }
}

export interface RemoteCommand<Reply, Dry, Tag extends FailureTag> extends Replies<Reply, Dry> {
  /** For its form. */
  readonly command: ClientCommand
  /** What is wrong beyond that. */
  readonly wrong?: InvalidRequest | undefined
  readonly origin: CommandOrigin
  readonly asked: Omit<Asked, "idempotencyKey">
  readonly send: (parts: CommandParts) => Effect.Effect<HttpClientResponse.HttpClientResponse, unknown, Scope.Scope>
  readonly failures: ReadonlyArray<Tag>
}

/** Fails at once where its form is wrong. */
export const commanded = <Reply extends object, Dry extends object, Tag extends FailureTag>(
  { ask }: RemoteService,
  { asked, command, failures, origin, send, wrong, ...replies }: RemoteCommand<Reply, Dry, Tag>
): Effect.Effect<Answered<Reply, Dry>, FailureOf<Tag> | InvalidRequest> => {
  const { correlationId, dryRun, idempotencyKey } = origin
  const invalid = bothInvalid(bothInvalid(malformedOrigin(origin), wrong ?? malformed(command)), foreignLimit(origin))
  if (invalid !== undefined) return Effect.fail(invalid)
  const answer = ask({
    asked: { ...asked, idempotencyKey },
    isCommand: !dryRun,
    send: send(partsOf(origin)),
    read: reading(dryRun, replies),
    failures
  })
  return correlationId === null ? answer : Effect.provideService(answer, CorrelationId, correlationId)
}

export type Either<Input extends CommandOptions> = Input | DryRun<Input>

/** The members that there are. */
export const given = <A extends object>(fields: A): Given<A> =>
  Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as Given<A>

type Given<A> = { readonly [Name in keyof A as undefined extends A[Name] ? never : Name]: A[Name] } & {
  readonly [Name in keyof A as undefined extends A[Name] ? Name : never]?: Exclude<A[Name], undefined>
}
