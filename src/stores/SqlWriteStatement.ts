/**
 * The one statement of a write behind a log: the rows of the commits that continue
 * what is persisted, and the mark when those are all.
 *
 * The guard is `wallets.version`. A wallet without a row is created, unless the key
 * of its first event is there: that row is where a creation and its refusal would
 * meet, and only one of them gets it.
 *
 * A commit that is there already must not touch a table: a user's trigger would
 * judge it again.
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

/**
 * - `new`: positions of its own, in the order of writing.
 * - `log`: those of the events, from the log in the same database.
 * - `kept`: those that the rows had before a rebuild, new ones for the others.
 */
export type PositionSource = "new" | "log" | "kept"

export interface WriteParts extends ViewParts {
  readonly positions: PositionSource
  readonly mark: boolean
}

export const writeSlots = (parts: WriteParts): ReadonlyArray<Slot> => [
  "commits",
  "events",
  ...viewSlots(parts),
  ...(parts.mark ? (["markOwner", "markPosition"] as const) : [])
]

/** The expression for the position of a wallet's event. */
const positionOf = (source: PositionSource, walletId: string, version: string): string => {
  const next = "nextval('persisted_position')"
  const from = (table: string) =>
    `(select p.position from ${table} p where p.wallet_id = ${walletId} and p.version = ${version})`
  switch (source) {
    case "new":
      return next
    case "log":
      return from("events")
    case "kept":
      return `coalesce(${from("kept_positions")}, ${next})`
  }
}

const createdPart = ($: Placeholder): string => `starting as materialized (
  select array_agg(case when expected = -1 then first + 1 end order by ord) as firsts from commits
),
created as (
  insert into idempotency_keys (wallet_id, version, id, key, fingerprint)
  select wallet_id, 0, id, key, fingerprint
  from ${eventsFrom($)} cross join starting
  where firsts[commit] = ord and not exists (select from wallets w where w.id = r.wallet_id)
  order by ord
  on conflict do nothing
  returning wallet_id
),
`

const markedPart = ($: Placeholder): string => `,
marked as (
  insert into marks (owner, position)
  select ${$("markOwner")}::text, ${$("markPosition")}::int8
  where (select count(*) from accepted) = (select count(*) from commits)
  on conflict (owner) do update set position = greatest(marks.position, excluded.position)
)`

/** Answers the numbers (`ord`, from 1) of the commits that were written. */
export const writeStatement = (parts: WriteParts): string => {
  const $ = placeholders(writeSlots(parts))
  const positions: Positions = {
    wallet: positionOf(parts.positions, "n.wallet_id", "0"),
    transfer: positionOf(parts.positions, "t.wallet_id", "t.version")
  }
  return `${commitsPart($)}${parts.creates ? createdPart($) : ""}moved as (
  update wallets w set
    version = c.expected + c.size,${walletColumnsSet}
  from commits c
  where w.id = c.wallet_id and w.version = c.expected and c.expected >= 0
  returning c.*
),${acceptedPart(parts.creates)}
rows as materialized (
  select versions[commit] + ord as version,
    ${positionOf(parts.positions, "r.wallet_id", "versions[commit] + r.ord")} as position, r.*
  from ${eventsFrom($)} cross join starts
  where positions[commit] > ${leftOut}
)${rowsParts(parts, $, positions, 1)}${parts.mark ? markedPart($) : ""}
select ord from accepted`
}
