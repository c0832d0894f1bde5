/** What every mutation asks of its request beyond its form. */
import * as Effect from "effect/Effect"
import type { Await, CommandOptions, DryRun } from "../../engine/WalletEngine.ts"
import type { ApiKey } from "../../stores/ApiKeyStore.ts"
import type { AuditLog } from "../AuditLog.ts"
import { hasScope } from "../api/Authorization.ts"
import { correlationOf, requestOf } from "../RequestTelemetry.ts"
import { Forbidden, IdempotencyKeyMissing } from "../api/Problem.ts"
import { limitOf } from "../Visibility.ts"

const keyMissing = new IdempotencyKeyMissing({ detail: "a command needs an idempotency key" })

/** How a command was asked for: by the query of its request. */
export interface CommandQuery {
  readonly await?: Await | undefined
  readonly dryRun?: boolean | undefined
}

/** By its headers; `""`: there is no key. */
export interface CommandHeaders {
  readonly "idempotency-key": string
  readonly "if-match"?: "*" | number | undefined
}

export type AskedOptions = (CommandOptions | DryRun<CommandOptions>) & { readonly ifVersion?: number | undefined }

/** Asked for after the form of the whole request, before the rules. A dry run may be without a key. */
export const commandOptions = (
  { "idempotency-key": idempotencyKey, "if-match": ifMatch }: CommandHeaders,
  query: CommandQuery,
  key: ApiKey
): Effect.Effect<AskedOptions, IdempotencyKeyMissing> =>
  Effect.withFiber((fiber) => {
    const isDryRun = query.dryRun === true
    if (idempotencyKey === "" && !isDryRun) return Effect.fail(keyMissing)
    const request = requestOf(fiber)
    const options = {
      await: query.await,
      actor: key.name,
      correlationId: request === undefined ? undefined : correlationOf(request.headers),
      ifVersion: ifMatch === "*" ? undefined : ifMatch,
      limit: limitOf(key)
    }
    return Effect.succeed(
      isDryRun
        ? { ...options, dryRun: true, idempotencyKey: idempotencyKey === "" ? undefined : idempotencyKey }
        : { ...options, idempotencyKey }
    )
  })

const forceIsAdminOnly = new Forbidden({ detail: "a forced debit needs a key with the scope admin", reason: "scope" })

/** To pass over funds is the admin's. */
export const mayForce = (key: ApiKey, force: boolean | undefined): Effect.Effect<void, Forbidden> =>
  force !== true || hasScope(key, "admin") ? Effect.void : Effect.fail(forceIsAdminOnly)

export const isForced = (body: object): boolean => "force" in body && body.force === true

/** What was tried only, or done before, is not done. */
interface Told {
  readonly dryRun?: boolean | undefined
  readonly replayed: boolean
}

/** An act of an admin's on a wallet, in the audit list once it is done. */
export const auditing =
  (audit: AuditLog["Service"], key: ApiKey, action: string, target?: string, detail?: string) =>
  <A extends Told & { readonly wallet: { readonly id: string | null } }, E, R>(
    act: Effect.Effect<A, E, R>
  ): Effect.Effect<A, E, R> =>
    Effect.tap(act, ({ dryRun, replayed, wallet }) =>
      dryRun === true || replayed
        ? Effect.void
        : audit.done({ key, action, target: target ?? wallet.id ?? undefined, detail })
    )

/** A debit that asks for no funds. */
export const auditForced = <
  A extends Told & {
    readonly wallet: { readonly id: string | null }
    readonly transaction: { readonly amount: bigint }
  },
  E
>(
  audit: AuditLog["Service"],
  key: ApiKey,
  target: string,
  debit: Effect.Effect<A, E>
): Effect.Effect<A, E> =>
  Effect.tap(debit, ({ dryRun, replayed, transaction }) =>
    dryRun === true || replayed
      ? Effect.void
      : audit.done({ key, action: "wallet.forceDebit", target, detail: `amount ${transaction.amount}` })
  )

const adminOnly = new Forbidden({ detail: "an overdraft limit needs a key with the scope admin", reason: "scope" })

/** Overdraft limits are credit given: naming one, also at creation, is the admin's. */
export const mayLimit = (key: ApiKey, overdraftLimit: bigint | undefined): Effect.Effect<void, Forbidden> =>
  overdraftLimit === undefined || hasScope(key, "admin") ? Effect.void : Effect.fail(adminOnly)
