/** Who asks for a command, whence and how: its form, and the key that it is known by. */
import * as Effect from "effect/Effect"
import type { Await } from "../actors/Mailbox.ts"
import { noKey } from "../actors/Mailbox.ts"
import { bothInvalid, invalid } from "../domain/Decision.ts"
import type { CommandKey } from "../domain/Event.ts"
import type { KeyLimit } from "../domain/KeyLimit.ts"
import { isAmount, isId, isIdempotencyKey, isText, maxTextLength } from "../domain/Limits.ts"
import { InvalidRequest } from "../domain/Rejection.ts"

/** For callers without types. */
const isKeyLimit = ({ keyId, perDay, perOperation }: KeyLimit): boolean =>
  isId(keyId) && (perDay === null || isAmount(perDay)) && (perOperation === null || isAmount(perOperation))

const isOrigin = (text: string | null): boolean => text === null || isText(text, maxTextLength)

/** Who asks, whence and how. */
export interface CommandOrigin {
  /** `undefined`: a dry run that has none. */
  readonly idempotencyKey: string | undefined
  readonly await: Await
  readonly actor: string | null
  readonly correlationId: string | null
  readonly dryRun: boolean
  readonly ifVersion: number | null
  readonly limit: KeyLimit | undefined
}

/** A copy: what a caller does with its object afterwards changes nothing. */
export const ownLimit = (limit: KeyLimit | undefined): KeyLimit | undefined =>
  limit && { keyId: limit.keyId, perOperation: limit.perOperation, perDay: limit.perDay }

/** Of a key in good form. */
export const keyOf = (idempotencyKey: string | undefined): CommandKey =>
  idempotencyKey === undefined ? noKey : `c:${idempotencyKey}`

/** All that is wrong with the origin of a command. */
export const malformedOrigin = (origin: CommandOrigin): InvalidRequest | undefined => {
  const { actor, await: wanted, correlationId, dryRun, idempotencyKey, ifVersion, limit } = origin
  return bothInvalid(
    bothInvalid(
      (idempotencyKey === undefined && dryRun) || isIdempotencyKey(idempotencyKey!)
        ? undefined
        : invalid("idempotencyKey: not 1 to 255 visible ASCII characters"),
      wanted === "persisted" || wanted === "committed" || wanted === "indexed"
        ? undefined
        : invalid("await: not one of committed, persisted and indexed")
    ),
    bothInvalid(
      bothInvalid(
        isOrigin(actor) ? undefined : invalid("actor: not a text of at most 255 characters"),
        isOrigin(correlationId) ? undefined : invalid("correlationId: not a text of at most 255 characters")
      ),
      bothInvalid(
        typeof dryRun === "boolean" ? undefined : invalid("dryRun: neither true nor false"),
        bothInvalid(
          ifVersion === null || (Number.isSafeInteger(ifVersion) && ifVersion >= 0)
            ? undefined
            : invalid("ifVersion: not a version"),
          limit === undefined || isKeyLimit(limit)
            ? undefined
            : invalid("limit: not a keyId with amounts of 1 to 30 digits, above 0")
        )
      )
    )
  )
}

/**
 * For callers without types: what is no object at all has no fields to be judged, and what
 * throws when it is read fails its own command, as a defect.
 */
export const taking =
  <Input, A, E>(command: (input: Input) => Effect.Effect<A, E>) =>
  (input: Input): Effect.Effect<A, E | InvalidRequest> => {
    if (typeof input !== "object" || input === null) {
      return Effect.fail(new InvalidRequest({ detail: "a command is an object with its fields" }))
    }
    try {
      return command(input)
    } catch (defect) {
      return Effect.die(defect)
    }
  }
