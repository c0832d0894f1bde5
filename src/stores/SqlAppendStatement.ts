/**
 * The one statement of an append: the log alone, or the log and the transactional
 * view. `SqlAppendBatch.ts` makes its parameters: the commits, their events (each
 * commit's together and in order), the generation, and for the view what
 * `SqlViewParts.ts` asks for.
 */
import {
  acceptedPart,
  commitsPart,
  eventsFrom,
  leftOut,
  type Placeholder,
  placeholders,
  type Positions,
  rowsParts,
  type Slot,
  type ViewParts,
  viewSlots,
  walletColumnsSet
} from "./SqlViewParts.ts"

export interface AppendParts extends ViewParts {
  /** The transactional view with the log. */
  readonly view: boolean
}

export const appendSlots = (parts: AppendParts): ReadonlyArray<Slot> => [
  "commits",
  "events",
  "generation",
  ...(parts.view ? viewSlots(parts) : [])
]

const createdPart = `created as (
  insert into streams (wallet_id, version)
  select wallet_id, size - 1 from commits where expected = -1 order by ord
  on conflict do nothing
  returning wallet_id
),
`

/**
 * - `created`, `moved`: the streams that are where the commit expects them. All of
 *   a commit or nothing of it.
 * - `sequenced`: takes the positions, last of all locks, under the generation that
 *   the sender knows. Under another one there is no position, and as a position is
 *   never null the statement fails with nothing written. PostgreSQL looks at the
 *   generation again after it has waited for the row, so a claim that commits
 *   meanwhile fences the append.
 */
const logPart = (creates: boolean, $: Placeholder): string => `${commitsPart($)}${creates ? createdPart : ""}moved as (
  update streams s set version = c.expected + c.size
  from commits c
  where s.wallet_id = c.wallet_id and s.version = c.expected and c.expected >= 0
  returning c.*
),${acceptedPart(creates)}
sequenced as (
  update log set position = position + (select total from placed limit 1)
  where generation = ${$("generation")}::int8 and exists (select from placed)
  returning position - (select total from placed limit 1) as before
),
rows as materialized (
  select versions[commit] + ord as version, (select before from sequenced) + positions[commit] + ord as position,
    epochs[commit] as epoch, r.*
  from ${eventsFrom($)} cross join starts
  where positions[commit] > ${leftOut}
),
logged as (
  insert into events (wallet_id, version, position, id, time, type, data, key, fingerprint, epoch, origin)
  select wallet_id, version, position, id, time, type, data, key, fingerprint, epoch, origin from rows
)`

const positions: Positions = {
  wallet: "(select before from sequenced) + before + first + 1",
  transfer: "(select before from sequenced) + positions[commit] + ord"
}

/**
 * `wallets` moves with its stream, or the statement fails: a version that is not
 * the stream's becomes null, which its column refuses; a row that is missing makes
 * `complete` fail.
 */
const viewedPart = `,
viewed as (
  update wallets w set
    version = case when w.version = c.expected then c.expected + c.size end,${walletColumnsSet}
  from moved c
  where w.id = c.wallet_id
  returning 1
)`

/** Of the commit's last event. */
const lastPosition = "(select before from sequenced) + positions[ord] + first + size as position"

/**
 * Under a passed generation it is for `logged` to fail: rows that were rebuilt
 * meanwhile are missing here, and nothing is wrong with them.
 */
const complete = `
select ord, ${lastPosition}, case when (select before from sequenced) is null then null
  when (select count(*) from viewed) = (select count(*) from moved) then true
  else ('a row of wallets is missing, commit ' || ord)::boolean end as complete
from accepted cross join starts`

/** Answers the numbers (`ord`, from 1) of the commits that were appended, with the positions of their last events. */
export const appendStatement = (parts: AppendParts): string => {
  const $ = placeholders(appendSlots(parts))
  const log = logPart(parts.creates, $)
  return parts.view
    ? [log, viewedPart, rowsParts(parts, $, positions, 0), complete].join("")
    : `${log}\nselect ord, ${lastPosition} from accepted cross join starts`
}
