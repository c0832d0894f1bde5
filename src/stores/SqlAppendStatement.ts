/**
 * The one statement of an append: the log alone, or the log and the transactional
 * view. `SqlAppendBatch.ts` makes its parameters: `$1` the commits, `$2` their
 * events, each commit's together and in order, `$3` the generation, and for the
 * view `$4` the holds placed and `$5` the holds changed.
 *
 * What belongs to a commit is looked up by its number in an array, not joined: a
 * prepared plan does not know how long the parameters are, and would join row by
 * row.
 *
 * Parts that a batch has no rows for are left out: the server sets up every table
 * and index of a statement before it looks for rows, and for a batch of one that is
 * most of the time.
 */

export interface AppendParts {
  /** The transactional view with the log. */
  readonly view: boolean
  /** Some commit creates its stream. */
  readonly creates: boolean
  /** Some event makes no transaction: holds may change, keys have rows of their own. */
  readonly others: boolean
}

/** A commit that was left out. No position and no version is ever this low. */
const leftOut = "-4611686018427387904"

const createdPart = `created as (
  insert into streams (wallet_id, version)
  select wallet_id, size - 1 from commits where expected = -1 order by ord
  on conflict do nothing
  returning wallet_id
),
`

const acceptedCreations = `
  union all
  select max(ord), max(size), max(first)
  from (
    select wallet_id, ord, size, first, false as is_new from commits where expected = -1
    union all
    select wallet_id, null, null, null, true from created
  ) candidates
  group by wallet_id having bool_or(is_new)`

/**
 * - `created`, `moved`: the streams that are where the commit expects them. All of
 *   a commit or nothing of it.
 * - `placed`: of the commits that moved, how many events come before them; in the
 *   order of the commits. `starts` has this for every commit by its number.
 * - `sequenced`: takes the positions, last of all locks, under the generation that
 *   the sender knows. Under another one there is no position, and as a position is
 *   never null the statement fails with nothing written. PostgreSQL looks at the
 *   generation again after it has waited for the row, so a claim that commits
 *   meanwhile fences the append.
 */
const logPart = (creates: boolean): string => `
with commits as materialized (
  select *, (sum(size) over (order by ord) - size)::int as first
  from (
    select ord::int, wallet_id, expected, size, epoch, status, balance, held, overdraft_limit, updated_at, details
    from unnest($1::appended_commit[]) with ordinality as c (wallet_id, expected, size, epoch, status, balance, held,
      overdraft_limit, updated_at, details, ord)
  ) given
),
${creates ? createdPart : ""}moved as (
  update streams s set version = c.expected + c.size
  from commits c
  where s.wallet_id = c.wallet_id and s.version = c.expected and c.expected >= 0
  returning c.*
),
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
),
sequenced as (
  update log set position = position + (select total from placed limit 1)
  where generation = $3::int8 and exists (select from placed)
  returning position - (select total from placed limit 1) as before
),
rows as materialized (
  select versions[commit] + ord as version, (select before from sequenced) + positions[commit] + ord as position,
    epochs[commit] as epoch, r.*
  from unnest($2::appended_event[]) with ordinality as r (commit, wallet_id, id, time, type, data, key, fingerprint,
    origin, transaction, amount, balance_after, currency, rare, ord) cross join starts
  where positions[commit] > ${leftOut}
),
logged as (
  insert into events (wallet_id, version, position, id, time, type, data, key, fingerprint, epoch, origin)
  select wallet_id, version, position, id, time, type, data, key, fingerprint, epoch, origin from rows
)`

const newWalletsPart = `,
new_wallets as (
  insert into wallets (id, owner_id, currency, balance, held, overdraft_limit, status, version, metadata,
    created_at, updated_at, position, words)
  select wallet_id, details->>'ownerId', details->>'currency', balance, held, overdraft_limit, status, size - 1,
    details->'metadata', (details->>'createdAt')::timestamptz, updated_at,
    (select before from sequenced) + before + first + 1, array(select json_array_elements_text(details->'words'))
  from (
    select wallet_id, balance, held, overdraft_limit, status, size, first, updated_at, details::json,
      positions[ord] as before
    from commits cross join starts
    where expected = -1 and positions[ord] > ${leftOut}
  ) n
)`

/**
 * `wallets` moves with its stream, or the statement fails: a version that is not
 * the stream's becomes null, which its column refuses; a row that is missing makes
 * `complete` fail.
 */
const viewPart = `,
viewed as (
  update wallets w set
    version = case when w.version = m.expected then m.expected + m.size end,
    balance = m.balance,
    held = m.held,
    overdraft_limit = m.overdraft_limit,
    status = m.status,
    updated_at = m.updated_at,
    metadata = case when m.details is null then w.metadata else m.details::json->'metadata' end,
    words = case when m.details is null then w.words
      else array(select json_array_elements_text(m.details::json->'words')) end
  from moved m
  where w.id = m.wallet_id
  returning 1
),
recorded as (
  insert into transactions (wallet_id, version, position, id, type, amount, balance_after, currency, reference,
    metadata, hold_id, transfer_id, created_at, key, fingerprint, words)
  select wallet_id, version, position, id, transaction, amount, balance_after, currency, rare::json->>'reference',
    rare::json->'metadata', rare::json->>'holdId', rare::json->>'transferId', time, key, fingerprint,
    case when rare is not null then
      (select array_agg(word) from json_array_elements_text(rare::json->'words') word) end
  from rows where transaction is not null
)`

const othersPart = `,
keyed as (
  insert into idempotency_keys (wallet_id, version, key, fingerprint)
  select wallet_id, version, key, fingerprint from rows where transaction is null
),
holds_placed as (
  insert into holds (wallet_id, id, version, amount, captured, remaining, status, expires_at, reference, metadata,
    created_at)
  select wallet_id, id, version, amount, captured, remaining, status, expires_at, reference, metadata, created_at
  from json_to_recordset($4::json) as h (commit int, wallet_id text, id text, version int8, amount numeric,
    captured numeric, remaining numeric, status text, expires_at timestamptz, reference text, metadata json,
    created_at timestamptz) cross join starts
  where positions[commit] > ${leftOut}
),
holds_changed as (
  update holds set captured = h.captured, remaining = h.remaining, status = h.status
  from json_to_recordset($5::json) as h (commit int, wallet_id text, id text, captured numeric, remaining numeric,
    status text) cross join starts
  where positions[commit] > ${leftOut} and holds.wallet_id = h.wallet_id and holds.id = h.id
)`

const complete = `
select ord, case when (select count(*) from viewed) = (select count(*) from moved) then true
  else ('a row of wallets is missing, commit ' || ord)::boolean end as complete
from accepted`

/** Answers the numbers (`ord`, from 1) of the commits that were appended. */
export const appendStatement = ({ creates, others, view }: AppendParts): string =>
  view
    ? [logPart(creates), creates ? newWalletsPart : "", viewPart, others ? othersPart : "", complete].join("")
    : `${logPart(creates)}\nselect ord from accepted`
