/**
 * Tries the user's own rules on the tables: whether they let pass what the engine must
 * be able to write. By doing it, in a transaction that is always rolled back: what a
 * trigger refuses is in no catalog, and to guess it from its text would blame rules that
 * do nothing wrong and trust others that do. A rule is blamed for what it has done.
 *
 * What it may miss: a rule that refuses at some other time of the day, by the server's
 * clock, or for certain wallets. What it leaves behind: sequences that a trigger draws
 * from move on, dead rows wait for the vacuum, and what a trigger does outside the
 * transaction is done (`dblink`, a foreign table).
 *
 * Appends go on meanwhile. The rows have versions and positions that no append takes, so
 * none waits for a unique index; `log` is not touched; a row of a real wallet is locked
 * for one statement. Where PGlite's single session makes all others wait it is the time
 * of one statement with a hundred rows, unless there is something to warn of.
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import type { SqlClient } from "effect/sql/SqlClient"
import type { SqlError } from "effect/sql/SqlError"
import type { RuleFault, RuleTrial } from "../Persistence.ts"
import { classifyError } from "./Failure.ts"
import { text } from "./Parameters.ts"
import {
  insertEvents,
  largeAmount,
  openWallet,
  type TrialChange,
  trialChanges,
  type TrialEvent,
  trialEvents,
  type TrialWallet
} from "./RuleTrialRows.ts"

interface Rule {
  readonly table: string
  readonly kind: "trigger" | "constraint"
  readonly name: string
  /** Of a trigger; `null`: a constraint or a unique index. */
  readonly function_name: string | null
}

/** All of ours are named `ew_*`. A primary key, a foreign key and not null are no rules about values. */
const readRules = `
with judged as (
  select oid, relname from pg_class
  where oid in ('events'::regclass, 'wallets'::regclass, 'holds'::regclass, 'transfers'::regclass,
    'legs'::regclass)
)
select j.relname::text as table, 'trigger' as kind, t.tgname::text as name, p.proname::text as function_name
from pg_trigger t join judged j on j.oid = t.tgrelid join pg_proc p on p.oid = t.tgfoid
where not t.tgisinternal and t.tgenabled in ('O', 'A') and t.tgname not like 'ew\\_%'
union all
select j.relname::text, 'constraint', c.conname::text, null
from pg_constraint c join judged j on j.oid = c.conrelid
where c.contype in ('c', 'u', 'x') and c.conname not like 'ew\\_%'
union all
select j.relname::text, 'constraint', i.relname::text, null
from pg_index x join judged j on j.oid = x.indrelid join pg_class i on i.oid = x.indexrelid
where x.indisunique and i.relname not like 'ew\\_%'
  and not exists (select from pg_constraint c where c.conindid = i.oid)
order by 1, 2, 3`

/** An id that nothing has. */
const makeId = "select 'trial:' || gen_random_uuid()::text as id"

const readWallet = `
select id, lead(id, 1, id) over (order by position desc) as counterparty, currency, version, balance::text, held::text
from (select * from wallets order by position desc limit 2) newest
order by position desc limit 1`

interface WalletRow {
  readonly id: string
  readonly counterparty: string
  readonly currency: string
  readonly version: bigint
  readonly balance: string
  readonly held: string
}

/** Milliseconds. A statement takes a few; a lock is given up before an append would notice. Either ends the trial. */
const settings = `
select set_config('statement_timeout', '2000', true), set_config('lock_timeout', '100', true)`

const mayWrite = `
select bool_and(has_table_privilege(t::regclass, p)) as may
from (values ('events', 'insert'), ('wallets', 'select'), ('wallets', 'update'), ('holds', 'select'),
  ('wallets', 'insert'), ('holds', 'insert'), ('holds', 'update'), ('transfers', 'select'),
  ('transfers', 'insert'), ('transfers', 'update'),
  ('legs', 'select'), ('legs', 'insert'), ('legs', 'update'), ('legs', 'delete')
) needed (t, p)`

interface RolledBack<A> {
  readonly _tag: "RolledBack"
  readonly value: A
}

/** Runs it in a transaction, or a savepoint of the one there is, of which nothing stays. */
const rolledBack = <A>(sql: SqlClient, run: Effect.Effect<A, SqlError>): Effect.Effect<A, SqlError> =>
  sql
    .withTransaction(
      Effect.flatMap(run, (value) => Effect.fail<SqlError | RolledBack<A>>({ _tag: "RolledBack", value }))
    )
    .pipe(Effect.catch((error) => (error._tag === "RolledBack" ? Effect.succeed(error.value) : Effect.fail(error))))

/** A row that is not there: the holds and transfers of the trial are made up, and no rule is to be blamed for it. */
const foreignKey = "23503"

/** The error that a rule, whichever, has made of it; one that says nothing of rules is a failure. */
const refusalOf = (run: Effect.Effect<unknown, SqlError>): Effect.Effect<SqlError | undefined, SqlError> =>
  Effect.as(run, undefined).pipe(
    Effect.catch((error) => {
      const { kind, sqlState } = classifyError(error)
      if (sqlState === foreignKey) return Effect.undefined
      return sqlState === undefined || kind === "transient" ? Effect.fail(error) : Effect.succeed(error)
    })
  )

/** Which rules an error is of: a constraint by its name, a trigger by its function in the server's account of where it was. */
const culpritsOf = (rules: ReadonlyArray<Rule>, error: SqlError): ReadonlyArray<Rule> => {
  const { constraint, where = "" } = error.reason.cause as { readonly constraint?: string; readonly where?: string }
  const named = rules.filter(({ kind, name }) => kind === "constraint" && name === constraint)
  if (named.length > 0) return named
  // The trigger's function is the last: it has called the others.
  for (const line of where.split("\n").reverse()) {
    const words = new Set(line.split(/[^\p{L}\p{N}_$]+/u))
    const called = rules.filter((rule) => rule.function_name !== null && words.has(rule.function_name))
    if (called.length > 0) return called
  }
  const triggers = rules.filter(({ kind }) => kind === "trigger")
  return triggers.length > 0 ? triggers : rules
}

const maxReason = 500

/** Collects each rule's first fault; `done`: every rule of the table has one. */
const faultsOf = (table: string, rules: ReadonlyArray<Rule>) => {
  const faults = new Map<string, RuleFault>()
  const blamed = new Set<Rule>()
  return {
    faults,
    done: () => blamed.size === rules.length,
    add: (tried: string, error: SqlError) => {
      const culprits = culpritsOf(rules, error)
      for (const one of culprits) blamed.add(one)
      const rule = culprits.map(({ kind, name }) => `${kind} ${name}`).join(" or ")
      const reason = classifyError(error).reason.slice(0, maxReason)
      if (!faults.has(rule)) faults.set(rule, { table, rule, tried, reason })
    }
  }
}

/** All at once: when they pass, as they should, that is all there is to do. */
const tryEvents = Effect.fnUntraced(function* (
  sql: SqlClient,
  rules: ReadonlyArray<Rule>,
  events: ReadonlyArray<TrialEvent>
): Effect.fn.Return<ReadonlyArray<RuleFault>, SqlError> {
  const insert = (given: ReadonlyArray<TrialEvent>) =>
    refusalOf(rolledBack(sql, sql.unsafe(insertEvents, [text(JSON.stringify(given.map(({ row }) => row)))])))
  const refused = yield* insert(events)
  if (refused === undefined) return []
  const found = faultsOf("events", rules)
  for (const event of events) {
    const error = yield* insert([event])
    if (error !== undefined) found.add(event.what, error)
    if (found.done()) break
  }
  // Each alone may pass where many do not: a rule that counts them.
  if (found.faults.size === 0) found.add(`${events.length} facts of the engine's own in one statement`, refused)
  return Array.from(found.faults.values())
})

const tryChange = (
  sql: SqlClient,
  { change, prepare }: TrialChange,
  parameters: ReadonlyArray<unknown>
): Effect.Effect<SqlError | undefined, SqlError> => {
  const changed = refusalOf(rolledBack(sql, sql.unsafe(change, parameters)))
  if (prepare === undefined) return changed
  const prepared = refusalOf(sql.withTransaction(sql.unsafe(prepare, parameters)))
  return rolledBack(
    sql,
    Effect.flatMap(prepared, (refused) => (refused === undefined ? changed : Effect.succeed(undefined)))
  )
}

const tryChanges = Effect.fnUntraced(function* (
  sql: SqlClient,
  table: TrialChange["table"],
  rules: ReadonlyArray<Rule>,
  ids: readonly [wallet: string, trial: string]
): Effect.fn.Return<ReadonlyArray<RuleFault>, SqlError> {
  const found = faultsOf(table, rules)
  for (const one of trialChanges) {
    if (one.table !== table || found.done()) continue
    // A row with the large amount may have been refused in the first place.
    for (const amount of one.prepare === undefined ? [largeAmount] : [largeAmount, 1n]) {
      const error = yield* tryChange(sql, one, [text(ids[0]), text(ids[1]), text(String(amount))])
      if (error !== undefined) found.add(one.what, error)
    }
  }
  return Array.from(found.faults.values())
})

/** The newest there is: it has what the user's rules ask of a wallet. The first of all is made up, and may be refused. */
const findWallet = Effect.fnUntraced(function* (
  sql: SqlClient,
  id: string
): Effect.fn.Return<TrialWallet | undefined, SqlError> {
  const read = sql.unsafe<WalletRow>(readWallet)
  const known = yield* read
  if (known.length === 0) yield* refusalOf(sql.withTransaction(sql.unsafe(openWallet, [text(id)])))
  const [row] = known.length === 0 ? yield* read : known
  return row && { ...row, balance: BigInt(row.balance), held: BigInt(row.held) }
})

const tryAll = Effect.fnUntraced(function* (
  sql: SqlClient,
  rules: ReadonlyArray<Rule>,
  now: number
): Effect.fn.Return<RuleTrial, SqlError> {
  yield* sql.unsafe(settings)
  // A constraint trigger may wait for the end of the transaction, and this one has none.
  yield* sql.unsafe("set constraints all immediate")
  const [{ id }] = (yield* sql.unsafe<{ readonly id: string }>(makeId)) as [{ readonly id: string }]
  const wallet = yield* findWallet(sql, id)
  if (wallet === undefined) return { faults: [], untried: "there is no wallet to try them with" }
  const of = (table: string) => rules.filter((rule) => rule.table === table)
  const faults: Array<RuleFault> = []
  if (of("events").length > 0) faults.push(...(yield* tryEvents(sql, of("events"), trialEvents(wallet, now))))
  for (const table of ["wallets", "holds", "transfers"] as const) {
    if (of(table).length > 0) faults.push(...(yield* tryChanges(sql, table, of(table), [wallet.id, id])))
  }
  return { faults, untried: undefined }
})

const nothing: RuleTrial = { faults: [], untried: undefined }

/** Where there is no rule of the user's, it is one look into the catalog. */
export const tryRules = Effect.fnUntraced(function* (sql: SqlClient): Effect.fn.Return<RuleTrial, SqlError> {
  const rules = yield* sql.unsafe<Rule>(readRules)
  if (rules.length === 0) return nothing
  const [row] = yield* sql.unsafe<{ readonly may: boolean }>(mayWrite)
  if (row?.may !== true) return { faults: [], untried: "this role may not write the tables" }
  const now = yield* Clock.currentTimeMillis
  return yield* rolledBack(sql, tryAll(sql, rules, now)).pipe(
    Effect.catch((error) => Effect.succeed<RuleTrial>({ faults: [], untried: classifyError(error).reason }))
  )
})
