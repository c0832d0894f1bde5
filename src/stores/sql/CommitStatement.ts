/**
 * The one statement that writes commits, for all who write them: a single statement is
 * a transaction of its own. It has a purpose:
 *
 * - `append`: the events are the log. They get the next positions, under the generation
 *   that the sender knows.
 * - `copy`: the log lives elsewhere. The rows get positions of their own.
 * - `recopy`: a copy is written again within a transaction that has removed what is
 *   derived. Events that are there as they should be are left alone.
 * - `rederive`: the events are the log and are there; what is derived from them is
 *   written again.
 *
 * The guard is `wallets.version`: a commit is taken when its wallet is where it
 * expects it, all of it or nothing; those of an append that belong together are taken when all
 * of their wallets are.
 *
 * What belongs to a commit is looked up by its number in an array, not joined: a
 * prepared plan does not know how long the parameters are, and would join row by row.
 * Parts that a batch has no rows for are left out: the server sets up every table and
 * index of a statement before it looks for rows, and for a batch of one that is most of
 * the time.
 */
import { holdRecord, legRecord, transferRecord, wordsOfRecord } from "./Rows.ts"

export type CommitPurpose = "append" | "copy" | "recopy" | "rederive"

/** What a batch has rows for. */
export interface CommitParts {
  /** Some commit creates its wallet. */
  readonly creates: boolean
  /** Some wallet's metadata changes. */
  readonly details: boolean
  readonly holds: boolean
  readonly transfers: boolean
  /** Of transfers of several legs: rows of legs, or of the transfers themselves. */
  readonly legs: boolean
  /** Some event reverses another. */
  readonly reversals: boolean
  /** Some commit has keys that may have been used before; a wallet where one was is left out. */
  readonly unsure: boolean
  /** Some commits belong together: all of them are taken or none is. */
  readonly joint: boolean
}

export interface CommitStatement extends CommitParts {
  readonly purpose: CommitPurpose
  readonly checkpoint: boolean
}

/** The parameters that a statement may have. */
export type Slot =
  | "commits"
  | "events"
  | "generation"
  | "size"
  | "units"
  | ("holdsPlaced" | "holdsChanged" | "transfersSent" | "transfersChanged" | "reversals")
  | ("legsPrepared" | "legsApplied" | "legsReleased" | "transferWallets")
  | ("checkpointOwner" | "checkpointPosition")

/** The placeholder of a parameter: `$1` for the first of the slots. */
type Placeholder = (slot: Slot) => string

/** The commits with their numbers, from 1. */
const commitsPart = ({ joint }: CommitStatement, $: Placeholder): string => `
with commits as materialized (
  select ord::int, wallet_id, expected, size, first, status, balance, held, overdraft_limit, updated_at, details, unsure${
    joint ? `, (${$("units")}::int4[])[ord] as unit` : ""
  }
  from unnest(${$("commits")}::given_commit[]) with ordinality as c (wallet_id, expected, size, first, status,
    balance, held, overdraft_limit, updated_at, details, unsure, ord)
)`

/**
 * The numbers of commits one of whose keys was used by an earlier command. Only
 * versions that the sender knows count: later ones may be its own, from a try whose
 * answer was lost. `offset 0` keeps the comparisons out of the inner query, so that
 * there is no other way in: by the wallet alone, a busy one's whole history would be read.
 */
const seenPart = `,
seen as materialized (
  select array_agg(c.ord) as commits from commits c
  where c.unsure is not null and exists (
    select from unnest(c.unsure) as u (key) cross join lateral (
      select e.wallet_id, e.key, e.version from events e
      where hashtextextended(e.key, hashtextextended(e.wallet_id, 0)) =
        hashtextextended(u.key, hashtextextended(c.wallet_id, 0))
      offset 0
    ) k
    where k.wallet_id = c.wallet_id and k.key = u.key and k.version <= c.expected
  )
)`

/**
 * Which of those that belong together are left out: where one has such a key, or its wallet is elsewhere. One that
 * moves after this look makes the statement fail (`splitCheck`).
 */
const withheldPart = (unsure: boolean): string => `,
withheld as materialized (
  select array_agg(distinct c.unit) as units from commits c
  where c.unit > 0 and ((select w.version from wallets w where w.id = c.wallet_id) is distinct from nullif(c.expected, -1)${
    unsure ? " or c.ord = any ((select commits from seen)::int4[])" : ""
  })
)`

const notLeftOut = ({ joint, unsure }: CommitStatement): string =>
  (unsure ? " and (c.ord = any ((select commits from seen)::int4[])) is not true" : "") +
  (joint ? " and (c.unit = any ((select units from withheld)::int4[])) is not true" : "")

const walletColumnsSet = (details: boolean): string => `
    balance = c.balance, held = c.held, overdraft_limit = c.overdraft_limit, status = c.status,
    updated_at = c.updated_at${
      details
        ? `,
    metadata = case when c.details is null then w.metadata else c.details::json->'metadata' end,
    words = case when c.details is null then w.words when c.details::json->'words' is not null
      then array(select json_array_elements_text(c.details::json->'words')) end,
    freeze_direction = case when c.details is null then w.freeze_direction else c.details::json->>'freeze_direction' end,
    freeze_reason = case when c.details is null then w.freeze_reason else c.details::json->>'freeze_reason' end,
    freeze_until = case when c.details is null then w.freeze_until
      else (c.details::json->>'freeze_until')::timestamptz end`
        : ""
    }`

/** PostgreSQL compares the version again after it has waited for a row. */
const movedPart = (of: CommitStatement): string => `,
moved as (
  update wallets w set
    version = c.expected + c.size,${walletColumnsSet(of.details)}
  from commits c
  where w.id = c.wallet_id and w.version = c.expected and c.expected >= 0${notLeftOut(of)}
  returning c.ord
)`

const walletColumns =
  "id, owner_id, currency, balance, held, overdraft_limit, status, version, metadata, created_at, updated_at, " +
  "position, tag, words, freeze_direction, freeze_reason, freeze_until"

/** The wallet's row of a creating commit `c`. */
const walletRow = (position: string): string => `
  select wallet_id, details->>'ownerId', details->>'currency', balance, held, overdraft_limit, status, size - 1,
    details->'metadata', (details->>'createdAt')::timestamptz, updated_at, ${position}, details->>'tag',
    case when details->'words' is not null then array(select json_array_elements_text(details->'words')) end,
    details->>'freeze_direction', details->>'freeze_reason', (details->>'freeze_until')::timestamptz`

const detailed = (condition: string, further = ""): string => `
  from (
    select ord, wallet_id, balance, held, overdraft_limit, status, size, first, updated_at, details::json
    from commits c${further} where expected = -1 and ${condition}
    order by ord
  ) c`

/** Of a commit's first event, and of any event. */
const givenFirst = "(select before from sequenced) + first + 1"
const given = "(select before from sequenced) + ord"

/** The position that a row has had before, found by a query. */
const kept = (query: string, otherwise: string): string => `coalesce((${query}), ${otherwise})`

/**
 * The commits that create a wallet which is not there.
 *
 * An append cannot insert their rows here: their positions come last. Two at once meet
 * at a key of their rows, and nothing of the later one is written. A copy inserts them,
 * but for a wallet whose creation was refused.
 */
const createdPart = (of: CommitStatement): string => {
  const { purpose } = of
  if (purpose === "append") {
    return `,
created as materialized (
  select ord from commits c
  where expected = -1 and not exists (select from wallets w where w.id = c.wallet_id)
    and not exists (select from events e where e.wallet_id = c.wallet_id and e.version = 0)${notLeftOut(of)}
)`
  }
  const position =
    purpose === "copy"
      ? givenFirst
      : kept("select e.position from events e where e.wallet_id = c.wallet_id and e.version = 0", givenFirst)
  const isNew =
    purpose === "copy" ? " and not exists (select from events e where e.wallet_id = c.wallet_id and e.version = 0)" : ""
  return `,
added as (
  insert into wallets (${walletColumns})${walletRow(position)}${detailed(
    `not exists (select from refusals r where r.wallet_id = c.wallet_id and r.version = 0)${isNew}`
  )}
  on conflict do nothing
  returning id
),
created as materialized (
  select max(ord) as ord
  from (
    select wallet_id, ord, false as is_added from commits where expected = -1
    union all
    select id, null, true from added
  ) candidates
  group by wallet_id having bool_or(is_added)
)`
}

/**
 * `accepted`, one row: how many commits were taken, and by their numbers which, where
 * that is not all of them.
 */
const acceptedPart = ({ creates }: CommitStatement): string => {
  const taken = creates ? "(select ord from moved union all select ord from created)" : "moved"
  return `,
accepted as materialized (
  select n, case when n < total then (
      select array_agg(is_taken order by ord)
      from (
        select ord, bool_or(is_taken) as is_taken
        from (select ord, false as is_taken from commits union all select ord, true from ${taken} t) known
        group by ord
      ) flags
    ) end as flags
  from (select (select count(*) from ${taken} t) as n, (select count(*) from commits) as total) counted
)`
}

const isTaken = (number: string): string => `(flags is null or flags[${number}])`

/**
 * Takes the positions, last of all locks. Under another generation, or in a copy, there
 * is no position, and as a position is never null the statement fails with nothing
 * written. PostgreSQL looks at the generation again after it has waited for the row, so
 * a claim that commits meanwhile fences the append. Commits that were left out leave
 * their positions unused.
 */
const sequencedPart = ($: Placeholder): string => `,
sequenced as (
  update log set position = position + ${$("size")}::int8, role = 'log'
  where generation = ${$("generation")}::int8 and role is distinct from 'copy' and (select n from accepted) > 0
  returning position - ${$("size")}::int8 as before
)`

/** A place in the order of the copy: room for as many events as a batch has by far. */
const placedPart = `,
sequenced as materialized (select nextval('copied_position') * 1048576 as before)`

const addedLast = `,
added as (
  insert into wallets (${walletColumns})${walletRow(givenFirst)}${detailed(isTaken("ord"), " cross join accepted")}
  returning 1
)`

/** But for the position in the order of the type `given_event`. */
const eventColumns = (
  "position, version, time, epoch, id, wallet_id, type, key, fingerprint, currency, amount, balance_after, " +
  "held_after, reference, metadata, hold_id, transfer_id, counterparty, data, origin, words, effective_at, refund_of"
).split(", ")

const givenColumns = eventColumns.slice(1).join(", ")

/** Two values of `json` cannot be compared, their texts can. */
const compared = (table: string): string =>
  `(${eventColumns.map((name) => (name === "metadata" ? `${table}.metadata::text` : `${table}.${name}`)).join(", ")})`

/** Of an event `of`. */
const positionOf = (purpose: CommitPurpose, of: string, walletId = "wallet_id"): string =>
  purpose === "append" || purpose === "copy"
    ? given
    : kept(`select o.position from events o where o.wallet_id = ${of}.${walletId} and o.version = ${of}.version`, given)

const unlessTheSame = `
  on conflict (wallet_id, version) do update set
    ${eventColumns.map((name) => `${name} = excluded.${name}`).join(", ")}
  where ${compared("e")} is distinct from ${compared("excluded")}`

const eventsPart = ({ purpose }: CommitStatement, $: Placeholder): string => {
  const given = `
  from unnest(${$("events")}::given_event[]) with ordinality as r (commit, ${givenColumns}, ord) cross join accepted
  where ${isTaken("commit")}`
  const missing = `,
missing as materialized (
  select wallet_id, version${given}
    and not exists (select from events e where e.wallet_id = r.wallet_id and e.version = r.version)
)`
  return `${purpose === "recopy" ? missing : ""},
recorded as (
  insert into events as e (${eventColumns.join(", ")})
  select ${positionOf(purpose, "r")}, ${givenColumns}${given}${purpose === "recopy" ? unlessTheSame : ""}
  returning ${purpose === "recopy" ? "wallet_id, version" : "1"}
)`
}

/**
 * A user's trigger that answers NULL keeps a row out without a word: the wallet would have
 * moved, and its event be lost. So rows are counted, and one that is missing is a refusal.
 */
const checkOf = (table: string, given: string, written: string): string => `
  case when (${given}) = (select count(*) from ${written}) then null
    else refuse_suppressed_rows('${table}', (${given}), (select count(*) from ${written})) end`

const eventsTaken = `select coalesce(sum(size), 0) from commits c cross join accepted where ${isTaken("c.ord")}`

/** Those that belong together are taken together, or nothing at all is. */
const splitCheck = `
  case when flags is not null and exists (
    select from commits where unit > 0 group by unit having bool_and(flags[ord]) <> bool_or(flags[ord])
  ) then refuse_split_commits() end`

/** How many rows are given in JSON for the commits that were taken. */
const rowsTaken = (rows: string): string =>
  `select count(*) from json_to_recordset(${rows}::json) as given (commit int) cross join accepted where ${isTaken("commit")}`

/** Of the rows that nobody would miss: an event, a new wallet, a hold that has to expire, a transfer that has to end. */
const checksOf = (
  { creates, holds, joint, legs, purpose, transfers }: CommitStatement,
  $: Placeholder
): ReadonlyArray<string> => [
  ...(joint ? [splitCheck] : []),
  ...(purpose === "append" || purpose === "copy" ? [checkOf("events", eventsTaken, "recorded")] : []),
  // An event that is there may stay as it is.
  ...(purpose === "recopy"
    ? [checkOf("events", "select count(*) from missing", "missing join recorded using (wallet_id, version)")]
    : []),
  ...(creates && purpose === "append" ? [checkOf("wallets", "select count(*) from created", "added")] : []),
  ...(holds ? [checkOf("holds", rowsTaken($("holdsPlaced")), "holds_placed")] : []),
  ...(transfers ? [checkOf("transfers", rowsTaken($("transfersSent")), "transfers_sent")] : []),
  ...(legs
    ? [
        checkOf("legs", rowsTaken($("legsPrepared")), "legs_prepared"),
        checkOf("legs", rowsTaken($("legsApplied")), "legs_applied")
      ]
    : []),
  ...(legs && transfers ? [checkOf("transfer_wallets", rowsTaken($("transferWallets")), "transfer_wallets_added")] : [])
]

const holdsPart = ($: Placeholder): string => `,
holds_placed as (
  insert into holds (${holdRecord.columns}) select ${holdRecord.columns}
  from json_to_recordset(${$("holdsPlaced")}::json) as h (commit int, ${holdRecord.definition}) cross join accepted
  where ${isTaken("commit")}
  returning 1
),
holds_changed as (
  update holds set captured = h.captured, remaining = h.remaining, status = h.status,
    amount = coalesce(h.amount, holds.amount),
    expires_at = case when h.amount is null then holds.expires_at else h.expires_at end
  from json_to_recordset(${$("holdsChanged")}::json) as h (commit int, wallet_id text, id text, captured numeric,
    remaining numeric, status text, amount numeric, expires_at timestamptz) cross join accepted
  where ${isTaken("commit")} and holds.wallet_id = h.wallet_id and holds.id = h.id
)`

const transfersPart = ({ legs, purpose }: CommitStatement, $: Placeholder): string => `,
transfers_sent as (
  insert into transfers (position, ${transferRecord.columns})
  select ${positionOf(purpose, "t")}, ${transferRecord.columns}
  from json_to_recordset(${$("transfersSent")}::json) as t (commit int, ord int8, ${transferRecord.definition})
    cross join accepted
  where ${isTaken("commit")}
  returning 1
),
transfers_changed as (
  update transfers set status = t.status, reason = t.reason, updated_at = coalesce(t.updated_at, transfers.updated_at)${
    legs ? ", leg = t.leg, leg_transactions = t.leg_transactions" : ""
  }
  from json_to_recordset(${$("transfersChanged")}::json) as t (commit int, wallet_id text, id text, status text,
    reason text, updated_at timestamptz${legs ? ", leg int, leg_transactions json" : ""}) cross join accepted
  where ${isTaken("commit")} and transfers.wallet_id = t.wallet_id and transfers.id = t.id
)`

const givenLegs = (rows: string): string =>
  `json_to_recordset(${rows}::json) as l (commit int, ord int8, word_list json,
    ${legRecord.definition}) cross join accepted`

/** Of one that is not yet a transaction the position is null, as its version is. */
const legsPart = ({ purpose, transfers }: CommitStatement, $: Placeholder): string => `,
legs_prepared as (
  insert into legs (position, words, ${legRecord.columns})
  select ${positionOf(purpose, "l")}, ${wordsOfRecord}, ${legRecord.columns}
  from ${givenLegs($("legsPrepared"))}
  where ${isTaken("commit")}
  returning 1
),
legs_applied as (
  update legs set position = ${positionOf(purpose, "l")}, version = l.version, time = l.time, id = l.id, key = l.key,
    balance_after = l.balance_after, effective_at = l.effective_at
  from ${givenLegs($("legsApplied"))}
  where ${isTaken("commit")} and legs.wallet_id = l.wallet_id and legs.transfer_id = l.transfer_id and legs.leg = l.leg
  returning 1
),
legs_released as (
  delete from legs using json_to_recordset(${$("legsReleased")}::json) as l (commit int, wallet_id text,
    transfer_id text) cross join accepted
  where ${isTaken("commit")} and legs.wallet_id = l.wallet_id and legs.transfer_id = l.transfer_id
    and legs.version is null
)${
  transfers
    ? `,
transfer_wallets_added as (
  insert into transfer_wallets (source_id, transfer_id, wallet_id, status, position)
  select t.source_id, t.transfer_id, t.wallet_id, t.status, ${positionOf(purpose, "t", "source_id")}
  from json_to_recordset(${$("transferWallets")}::json) as t (commit int, ord int8, version int8, source_id text,
    transfer_id text, wallet_id text, status text) cross join accepted
  where ${isTaken("commit")}
  returning 1
),
transfer_wallets_changed as (
  update transfer_wallets w set status = t.status
  from json_to_recordset(${$("transfersChanged")}::json) as t (commit int, wallet_id text, id text, status text)
    cross join accepted
  where ${isTaken("commit")} and w.source_id = t.wallet_id and w.transfer_id = t.id
)`
    : ""
}`

const reversalsPart = ($: Placeholder): string => `,
reversals as (
  update refusals set reversed_version = r.version
  from json_to_recordset(${$("reversals")}::json) as r (commit int, wallet_id text, version int8, reversed int8)
    cross join accepted
  where ${isTaken("commit")} and refusals.wallet_id = r.wallet_id and refusals.version = r.reversed
)`

const checkpointPart = ($: Placeholder): string => `,
marked as (
  insert into checkpoints (owner, position)
  select ${$("checkpointOwner")}::text, ${$("checkpointPosition")}::int8
  from accepted where flags is null
  on conflict (owner) do update set position = greatest(checkpoints.position, excluded.position)
)`

/**
 * Answers one row: `flags`, by their numbers which commits were taken, null when all were; of an
 * append `before`, the position before the batch's first event, and `seen`, the numbers of commits
 * that were left out for their keys.
 */
export const commitStatement = (of: CommitStatement, slots: ReadonlyArray<Slot>): string => {
  const $: Placeholder = (slot) => `$${slots.indexOf(slot) + 1}`
  const appends = of.purpose === "append"
  const before = appends ? ", (select before from sequenced) as before" : ""
  const seen = of.unsure ? ", (select commits from seen) as seen" : ""
  const checks = checksOf(of, $).map((check, index) => `,${check} as check_${index}`)
  return [
    commitsPart(of, $),
    appends ? "" : placedPart,
    of.unsure ? seenPart : "",
    of.joint ? withheldPart(of.unsure) : "",
    movedPart(of),
    of.creates ? createdPart(of) : "",
    acceptedPart(of),
    appends ? sequencedPart($) : "",
    of.creates && appends ? addedLast : "",
    of.purpose === "rederive" ? "" : eventsPart(of, $),
    of.holds ? holdsPart($) : "",
    of.transfers ? transfersPart(of, $) : "",
    of.legs ? legsPart(of, $) : "",
    of.reversals ? reversalsPart($) : "",
    of.checkpoint ? checkpointPart($) : "",
    `\nselect flags${before}${seen}${checks.join("")} from accepted`
  ].join("")
}
