/** The events of a wallet, its balance through them, and a slider to any of them: the past is a place to look at. */
import { useQuery } from "@tanstack/react-query"
import { type FormEvent, useCallback, useMemo, useState } from "react"
import type { Wallet } from "../acts/Command.ts"
import { aboutOf, amountIn, titleOf } from "../format/Events.ts"
import { formatAmount, formatChange } from "../format/Money.ts"
import { readTime } from "../format/Time.ts"
import { BalanceChart } from "../parts/BalanceChart.tsx"
import { Copy, Loading, Problem, Time } from "../parts/Basics.tsx"
import { type Column, VirtualTable } from "../parts/VirtualTable.tsx"
import { useSession } from "../session/Session.ts"
import { blockSize, eventsQuery, type WalletEvent } from "./walletQueries.ts"

interface Props {
  readonly wallet: Wallet
  readonly version: number
  /** `undefined`: now. */
  readonly onVersion: (version: number | undefined) => void
}

/** The block of the version, and the one before it, so that what led there is in sight. */
const useEvents = ({ version, wallet }: Props) => {
  const { client } = useSession()
  const block = Math.floor(version / blockSize)
  const these = useQuery(eventsQuery(client, wallet.id, block, wallet.version))
  const before = useQuery({
    ...eventsQuery(client, wallet.id, Math.max(0, block - 1), wallet.version),
    enabled: block > 0
  })
  const events = useMemo(
    () => (block === 0 ? (these.data ?? []) : [...(before.data ?? []), ...(these.data ?? [])]),
    [before.data, block, these.data]
  )
  return { events, error: these.error ?? before.error, isLoading: these.data === undefined }
}

/** Every row is a grid of its own: a column is as wide as its longest amount. */
const widthOf = (amounts: ReadonlyArray<bigint>, currency: string): string =>
  `minmax(5rem, ${Math.max(8, ...amounts.map((amount) => formatChange(amount, currency).length)) + 1}ch)`

const columnsOf = (
  wallet: Wallet,
  events: ReadonlyArray<WalletEvent>,
  changes: ReadonlyMap<number, bigint>,
  onVersion: Props["onVersion"]
): ReadonlyArray<Column<WalletEvent>> => [
  {
    name: "Version",
    width: "4.5rem",
    right: true,
    cell: ({ version }) => (
      <button type="button" className="link" onClick={() => onVersion(version)} aria-label={`Version ${version}`}>
        {version}
      </button>
    )
  },
  { name: "Time (UTC)", width: "11.5rem", wide: true, cell: ({ time }) => <Time at={time} /> },
  { name: "Event", width: "minmax(6rem, 9rem)", cell: ({ type }) => <span title={type}>{titleOf(type)}</span> },
  {
    name: "About",
    width: "minmax(6rem, 1fr)",
    wide: true,
    cell: (event) => <span className="text">{aboutOf(event, wallet.currency)}</span>
  },
  {
    name: "Change",
    width: widthOf([...changes.values()], wallet.currency),
    right: true,
    wide: true,
    cell: ({ version }) => {
      const change = changes.get(version) ?? 0n
      return change === 0n ? <span className="quiet">–</span> : formatChange(change, wallet.currency)
    }
  },
  {
    name: "Balance",
    width: widthOf(
      events.map((event) => amountIn(event, "balanceAfter") ?? 0n),
      wallet.currency
    ),
    right: true,
    cell: (event) => {
      const balance = amountIn(event, "balanceAfter")
      return balance === undefined ? "" : formatAmount(balance, wallet.currency)
    }
  }
]

const pointsOf = (events: ReadonlyArray<WalletEvent>) =>
  events.flatMap((event) => {
    const balance = amountIn(event, "balanceAfter")
    return balance === undefined ? [] : [{ version: event.version, time: event.time, balance }]
  })

/** Between an event and the one before it. */
const changesOf = (events: ReadonlyArray<WalletEvent>): ReadonlyMap<number, bigint> => {
  const changes = new Map<number, bigint>()
  let before: bigint | undefined
  for (const event of events) {
    const balance = amountIn(event, "balanceAfter")
    if (balance === undefined) continue
    if (before !== undefined) changes.set(event.version, balance - before)
    before = balance
  }
  return changes
}

const GoToTime = ({ onVersion, wallet }: { wallet: Wallet; onVersion: (version: number) => void }) => {
  const { client } = useSession()
  const [text, setText] = useState("")
  const [fault, setFault] = useState<string>()
  const onSubmit = async (event: FormEvent) => {
    event.preventDefault()
    const at = readTime(text)
    if (at === undefined) return setFault("a time like 2026-01-31 18:00 is expected")
    try {
      const then = await client.read((api) => api.wallets.get({ params: { id: wallet.id }, query: { at } }))
      setFault(undefined)
      onVersion(then.version)
    } catch (error) {
      setFault(error instanceof Error ? error.message : String(error))
    }
    return undefined
  }
  return (
    <form className="inline" onSubmit={(event) => void onSubmit(event)} noValidate>
      <label>
        As of{" "}
        <input
          type="text"
          placeholder="2026-01-31 18:00"
          value={text}
          onChange={(event) => setText(event.target.value)}
          aria-describedby="as-of-hint"
        />
      </label>
      <button type="submit">Go</button>
      <span
        id="as-of-hint"
        className={fault === undefined ? "hint" : "hint fault"}
        role={fault === undefined ? undefined : "alert"}
      >
        {fault ?? "UTC"}
      </span>
    </form>
  )
}

const Chosen = ({ event }: { event: WalletEvent }) => (
  <details className="chosen">
    <summary>
      {titleOf(event.type)}, version {event.version}, as it is in the log
    </summary>
    <pre tabIndex={0}>{JSON.stringify(event.data, undefined, 2)}</pre>
    <Copy text={JSON.stringify(event, undefined, 2)} what="the event" label="Copy as JSON" />
  </details>
)

export const WalletHistory = (props: Props) => {
  const { onVersion, version, wallet } = props
  const [by, setBy] = useState<"time" | "version">("time")
  const { error, events, isLoading } = useEvents(props)
  const points = useMemo(() => pointsOf(events), [events])
  const columns = useMemo(() => columnsOf(wallet, events, changesOf(events), onVersion), [events, onVersion, wallet])
  const newest = useMemo(() => [...events].reverse(), [events])
  const choose = useCallback(
    (chosen: number) => onVersion(chosen >= wallet.version ? undefined : chosen),
    [onVersion, wallet.version]
  )
  const chosen = events.find((event) => event.version === version)
  const noMore = useCallback(() => undefined, [])
  return (
    <section className="panel" aria-label="History">
      <div className="panel-head">
        <h2>History</h2>
        <div className="buttons small" role="group" aria-label="The balance by">
          <button type="button" aria-pressed={by === "time"} onClick={() => setBy("time")}>
            by time
          </button>
          <button type="button" aria-pressed={by === "version"} onClick={() => setBy("version")}>
            by version
          </button>
        </div>
        <GoToTime onVersion={choose} wallet={wallet} />
      </div>
      {error !== null && <Problem error={error} />}
      {isLoading && error === null && <Loading what="events" />}
      {points.length > 0 && (
        <BalanceChart points={points} currency={wallet.currency} by={by} selected={version} onSelect={choose} />
      )}
      <label className="slider">
        <span>Version</span>
        <input
          type="range"
          min={0}
          max={wallet.version}
          value={version}
          onChange={(event) => choose(Number(event.target.value))}
          aria-valuetext={`version ${version} of ${wallet.version}`}
        />
        <output>
          {version} of {wallet.version}
        </output>
      </label>
      {chosen !== undefined && <Chosen event={chosen} />}
      {events.length > 0 && (
        <VirtualTable
          label="Events"
          columns={columns}
          rows={newest}
          rowKey={(event) => event.version.toString()}
          total={wallet.version + 1}
          hasMore={false}
          isLoading={isLoading}
          onMore={noMore}
          selected={version.toString()}
        />
      )}
      {events.length > 0 && wallet.version + 1 > events.length && (
        <p className="hint">
          The slider leads to those that are not in the list: it has up to {2 * blockSize} around the chosen one.
        </p>
      )}
    </section>
  )
}
