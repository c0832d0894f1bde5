/**
 * The parts of a statement that write the rows of the transactional view, the same
 * for an append, which writes them with its events, and for a write behind another
 * log. They build on the parts before them:
 *
 * - `starts`, one row of arrays by the commit's number: `positions` (not `leftOut`
 *   for the commits that are to be written), `versions`, `epochs`.
 * - `rows`: the events of those commits, with version and position.
 *
 * What belongs to a commit is looked up by its number in an array, not joined: a
 * prepared plan does not know how long the parameters are, and would join row by row.
 *
 * Parts that a batch has no rows for are left out: the server sets up every table
 * and index of a statement before it looks for rows, and for a batch of one that is
 * most of the time.
 */

export interface ViewParts {
  /** Some commit creates its stream. */
  readonly creates: boolean
  /** Some event makes no transaction: holds may change, keys have rows of their own. */
  readonly others: boolean
  /** Some event changes a transfer. */
  readonly transfers: boolean
  /** Some event reverses another. */
  readonly reversals: boolean
}

/** The parameters that a statement may have. */
export type Slot =
  | "commits"
  | "events"
  | "generation"
  | "holdsPlaced"
  | "holdsChanged"
  | "transfersSent"
  | "transfersChanged"
  | "reversals"
  | "markOwner"
  | "markPosition"

/** Those of the view's parts, in their order. */
export const viewSlots = ({ others, reversals, transfers }: ViewParts): ReadonlyArray<Slot> => [
  ...(others ? (["holdsPlaced", "holdsChanged"] as const) : []),
  ...(transfers ? (["transfersSent", "transfersChanged"] as const) : []),
  ...(reversals ? (["reversals"] as const) : [])
]

/** The placeholder of a parameter: `$1` for the first of the slots. */
export type Placeholder = (slot: Slot) => string

export const placeholders =
  (slots: ReadonlyArray<Slot>): Placeholder =>
  (slot) =>
    `$${slots.indexOf(slot) + 1}`

/** Where rows get their places in the lists over all wallets from, as SQL expressions. */
export interface Positions {
  /** Of the first event of a commit in the subquery `n`. */
  readonly wallet: string
  /** Of a transfer's event; `wallet_id`, `version`, `commit`, `ord` are of the event. */
  readonly transfer: string
}

/** A commit that was left out. No position and no version is ever this low. */
export const leftOut = "-4611686018427387904"

/** The commits with their numbers (`ord`, from 1) and how many events come before each. */
export const commitsPart = ($: Placeholder): string => `
with commits as materialized (
  select *, (sum(size) over (order by ord) - size)::int as first
  from (
    select ord::int, wallet_id, expected, size, epoch, status, balance, held, overdraft_limit, updated_at, details
    from unnest(${$("commits")}::appended_commit[]) with ordinality as c (wallet_id, expected, size, epoch, status,
      balance, held, overdraft_limit, updated_at, details, ord)
  ) given
),
`

/** The fields of `appended_event`. */
const eventFields = `commit, wallet_id, id, time, type, data, key, fingerprint,
    origin, transaction, amount, balance_after, currency, rare`

export const eventsFrom = ($: Placeholder): string =>
  `unnest(${$("events")}::appended_event[]) with ordinality as r (${eventFields}, ord)`

/**
 * - `accepted`: the commits in `moved`, and those that create and are in `created`.
 * - `placed`: of these, how many events come before them; in the order of the
 *   commits. `starts` has this for every commit by its number.
 */
export const acceptedPart = (creates: boolean): string => `
accepted as materialized (
  select ord, size, first from moved${creates ? acceptedCreations : ""}
),
placed as materialized (
  select ord, sum(size) over (order by ord) - size - first as before, sum(size) over () as total from accepted
),
starts as materialized (
  select array_agg(before order by ord) as positions, array_agg(expected order by ord) as versions,
    array_agg(epoch order by ord) as epochs
  from (
    select ord, max(before) as before, max(expected) as expected, max(epoch) as epoch
    from (
      select ord, ${leftOut} as before, expected - first as expected, epoch from commits
      union all
      select ord, before::int8, ${leftOut}, null from placed
    ) known
    group by ord
  ) in_order
),`

const acceptedCreations = `
  union all
  select max(ord), max(size), max(first)
  from (
    select wallet_id, ord, size, first, false as is_new from commits where expected = -1
    union all
    select wallet_id, null, null, null, true from created
  ) candidates
  group by wallet_id having bool_or(is_new)`

const newWalletsPart = (positions: Positions): string => `,
new_wallets as (
  insert into wallets (id, owner_id, currency, balance, held, overdraft_limit, status, version, metadata,
    created_at, updated_at, position, words)
  select wallet_id, details->>'ownerId', details->>'currency', balance, held, overdraft_limit, status, size - 1,
    details->'metadata', (details->>'createdAt')::timestamptz, updated_at,
    ${positions.wallet}, array(select json_array_elements_text(details->'words'))
  from (
    select wallet_id, balance, held, overdraft_limit, status, size, first, updated_at, details::json,
      positions[ord] as before
    from commits cross join starts
    where expected = -1 and positions[ord] > ${leftOut}
  ) n
)`

/** What an update of `wallets w` by the commit `c` sets, but for the version. */
export const walletColumnsSet = `
    balance = c.balance,
    held = c.held,
    overdraft_limit = c.overdraft_limit,
    status = c.status,
    updated_at = c.updated_at,
    metadata = case when c.details is null then w.metadata else c.details::json->'metadata' end,
    words = case when c.details is null then w.words
      else array(select json_array_elements_text(c.details::json->'words')) end`

const transactionsPart = `,
recorded as (
  insert into transactions (wallet_id, version, position, id, type, amount, balance_after, currency, reference,
    metadata, hold_id, transfer_id, created_at, key, fingerprint, words)
  select wallet_id, version, position, id, transaction, amount, balance_after, currency, rare::json->>'reference',
    rare::json->'metadata', rare::json->>'holdId', rare::json->>'transferId', time, key, fingerprint,
    case when rare is not null then
      (select array_agg(word) from json_array_elements_text(rare::json->'words') word) end
  from rows where transaction is not null
)`

/** `from`: keys of earlier versions have been written. */
const othersPart = ($: Placeholder, from: number): string => `,
keyed as (
  insert into idempotency_keys (wallet_id, version, id, key, fingerprint)
  select wallet_id, version, id, key, fingerprint from rows where transaction is null${from === 0 ? "" : ` and version >= ${from}`}
),
holds_placed as (
  insert into holds (wallet_id, id, version, amount, captured, remaining, status, expires_at, reference, metadata,
    created_at)
  select wallet_id, id, version, amount, captured, remaining, status, expires_at, reference, metadata, created_at
  from json_to_recordset(${$("holdsPlaced")}::json) as h (commit int, wallet_id text, id text, version int8,
    amount numeric, captured numeric, remaining numeric, status text, expires_at timestamptz, reference text,
    metadata json, created_at timestamptz) cross join starts
  where positions[commit] > ${leftOut}
),
holds_changed as (
  update holds set captured = h.captured, remaining = h.remaining, status = h.status
  from json_to_recordset(${$("holdsChanged")}::json) as h (commit int, wallet_id text, id text, captured numeric,
    remaining numeric, status text) cross join starts
  where positions[commit] > ${leftOut} and holds.wallet_id = h.wallet_id and holds.id = h.id
)`

const transfersPart = ($: Placeholder, positions: Positions): string => `,
transfers_sent as (
  insert into transfers (wallet_id, id, to_wallet_id, version, position, amount, currency, status, reason, reference,
    metadata, created_at, updated_at)
  select wallet_id, id, to_wallet_id, version, ${positions.transfer}, amount, currency, status, reason, reference,
    metadata, created_at, updated_at
  from json_to_recordset(${$("transfersSent")}::json) as t (commit int, ord int8, wallet_id text, id text,
    to_wallet_id text, version int8, amount numeric, currency text, status text, reason text, reference text,
    metadata json, created_at timestamptz, updated_at timestamptz) cross join starts
  where positions[commit] > ${leftOut}
),
transfers_changed as (
  update transfers set status = t.status, reason = t.reason, updated_at = coalesce(t.updated_at, transfers.updated_at)
  from json_to_recordset(${$("transfersChanged")}::json) as t (commit int, wallet_id text, id text, status text,
    reason text, updated_at timestamptz) cross join starts
  where positions[commit] > ${leftOut} and transfers.wallet_id = t.wallet_id and transfers.id = t.id
)`

const reversalsPart = ($: Placeholder): string => `,
reversals as (
  update refusals set reversed_version = r.version
  from json_to_recordset(${$("reversals")}::json) as r (commit int, wallet_id text, version int8, reversed int8)
    cross join starts
  where positions[commit] > ${leftOut} and refusals.wallet_id = r.wallet_id and refusals.version = r.reversed
)`

/** The rows of the accepted commits. `keysFrom`: keys of events with a lower version have been written. */
export const rowsParts = (parts: ViewParts, $: Placeholder, positions: Positions, keysFrom: number): string =>
  [
    parts.creates ? newWalletsPart(positions) : "",
    transactionsPart,
    parts.others ? othersPart($, keysFrom) : "",
    parts.transfers ? transfersPart($, positions) : "",
    parts.reversals ? reversalsPart($) : ""
  ].join("")
