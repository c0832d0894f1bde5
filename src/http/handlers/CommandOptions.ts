/** What every mutation asks of its request beyond its form. */
import * as Effect from "effect/Effect"
import type { Await, CommandOptions } from "../../engine/WalletEngine.ts"
import type { ApiKey } from "../../stores/ApiKeyStore.ts"
import { hasScope } from "../api/Authorization.ts"
import { correlationOf, requestOf } from "../RequestTelemetry.ts"
import { Forbidden, IdempotencyKeyMissing } from "../api/Problem.ts"

const keyMissing = new IdempotencyKeyMissing({ detail: "a command needs an idempotency key" })

/** Asked for after the form of the whole request, before the rules. */
export const commandOptions = (
  idempotencyKey: string,
  wanted: Await | undefined,
  key: ApiKey
): Effect.Effect<CommandOptions, IdempotencyKeyMissing> =>
  Effect.withFiber((fiber) => {
    if (idempotencyKey === "") return Effect.fail(keyMissing)
    const request = requestOf(fiber)
    const correlationId = request === undefined ? undefined : correlationOf(request.headers)
    return Effect.succeed({ idempotencyKey, await: wanted, actor: key.name, correlationId })
  })

const adminOnly = new Forbidden({ detail: "an overdraft limit needs a key with the scope admin" })

/** Overdraft limits are credit given: naming one, also at creation, is the admin's. */
export const mayLimit = (key: ApiKey, overdraftLimit: bigint | undefined): Effect.Effect<void, Forbidden> =>
  overdraftLimit === undefined || hasScope(key, "admin") ? Effect.void : Effect.fail(adminOnly)
