/** The documents of API keys and of the audit list. */
import * as Schema from "effect/Schema"
import { maxKeyCurrencies, maxKeyWallets, mutationTypes } from "../../domain/KeyRestriction.ts"
import { Amount, Currency, Id, text, Time } from "./SchemaValues.ts"

export const KeyScope = Schema.Literals(["wallets:read", "wallets:write", "admin"])

export const KeyType = Schema.Literals(mutationTypes)

/** One or more, all different. */
const several = <S extends Schema.Top>(schema: S, most: number, what: string) => {
  const expected = `1 to ${most} different ${what}`
  return Schema.Array(schema).check(
    Schema.isMinLength(1, { expected }),
    Schema.isMaxLength(most, { expected }),
    Schema.isUnique({ expected })
  )
}

const KeyLimits = Schema.Struct({
  perOperation: Schema.optionalKey(Amount),
  perDay: Schema.optionalKey(Amount)
}).annotate({
  identifier: "KeyLimits",
  description:
    "Of what leaves a wallet, minor units: at once, and in a UTC day by the times of the events. Debits, what is sent, " +
    "refunds of credits and holds count; a capture was counted with its hold, and what comes back is not given back."
})

const Restriction = Schema.Struct({
  walletIds: Schema.optionalKey(several(Id, maxKeyWallets, "ids")),
  ownerId: Schema.optionalKey(Id),
  currencies: Schema.optionalKey(several(Currency, maxKeyCurrencies, "currencies")),
  types: Schema.optionalKey(several(KeyType, mutationTypes.length, "types")),
  limits: Schema.optionalKey(KeyLimits)
}).annotate({
  identifier: "KeyRestriction",
  description:
    "What the key is kept to; all of it has to hold. Wallets that are not of `walletIds`, of `ownerId` and of `currencies` " +
    "are not there for it. `types`: all mutations that it may ask for."
})

export const CreateKeyBody = Schema.Struct({
  name: text(64).check(Schema.isMinLength(1, { expected: "1 to 64 characters" })),
  scopes: several(KeyScope, 3, "scopes"),
  expiresAt: Schema.optionalKey(Schema.NullOr(Time)),
  restriction: Schema.optionalKey(Schema.NullOr(Restriction))
}).annotate({ identifier: "CreateKey" })

/** Seconds: seven days. */
export const maxGraceSeconds = 604_800

const graceForm = `a whole number of seconds, 0 to ${maxGraceSeconds}`

export const RollKeyBody = Schema.Struct({
  graceSeconds: Schema.optionalKey(
    Schema.Int.annotate({ expected: graceForm }).check(
      Schema.isBetween({ minimum: 0, maximum: maxGraceSeconds }, { expected: graceForm })
    )
  )
}).annotate({
  identifier: "RollKey",
  description: "For how long the secret before is good, too; left out: it ends at once."
})

const keyFields = {
  id: Id,
  name: Schema.String,
  scopes: Schema.Array(KeyScope),
  createdAt: Time,
  expiresAt: Schema.NullOr(Time),
  restriction: Schema.NullOr(Restriction)
}

export const KeyJson = Schema.Struct(keyFields).annotate({ identifier: "Key" })

export const CreatedKeyJson = Schema.Struct({ ...keyFields, secret: Schema.String }).annotate({
  identifier: "CreatedKey",
  description: "The secret is shown this once; only its hash is kept."
})

export const KeyPage = Schema.Struct({
  data: Schema.Array(KeyJson),
  next: Schema.NullOr(Schema.String)
}).annotate({ identifier: "KeyPage" })

// ---- Audit ----

/** As `key.create`, `wallet.freeze`; of what was refused, the operation as its group and name. */
export const AuditAction = Schema.String.check(
  Schema.isPattern(/^[A-Za-z]{1,32}\.[A-Za-z]{1,32}$/u, { expected: "two words of letters with a dot between" })
)

export const AuditEntryJson = Schema.Struct({
  time: Time,
  count: Schema.Int,
  keyId: Schema.NullOr(Schema.String),
  keyName: Schema.String,
  action: Schema.String,
  outcome: Schema.Literals(["done", "refused"]),
  target: Schema.NullOr(Schema.String),
  detail: Schema.NullOr(Schema.String)
}).annotate({
  identifier: "AuditEntry",
  description: "`keyId` is null for the command line. `count`: how often it was refused within a minute from `time`."
})

export const AuditPage = Schema.Struct({
  data: Schema.Array(AuditEntryJson),
  next: Schema.NullOr(Schema.String)
}).annotate({ identifier: "AuditPage" })
