/** The log as a stream: events of all wallets from a position on, as they come, some hundred at a time. */
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import { getRouteApi } from "@tanstack/react-router"
import { type FormEvent, useEffect, useId, useState } from "react"
import { EventType, type FeedEvent } from "../../../src/http/api/Schemas.ts"
import type { Client } from "../api/Client.ts"
import { titleOf } from "../format/Events.ts"
import { looksLikeId } from "../format/Filters.ts"
import { Empty, Problem, Time, WalletLink } from "../parts/Basics.tsx"
import { type Column, VirtualTable } from "../parts/VirtualTable.tsx"
import { useSession } from "../session/Session.ts"

const route = getRouteApi("/log")

type Row = typeof FeedEvent.Type

/** Events at a time: what a page keeps. Then one goes on from the last. */
const most = 500

/** Milliseconds in which what has come is gathered before it is shown. */
const gatherMillis = 200

const isPosition = (text: string): boolean => /^\d{1,18}$/.test(text)

const types = EventType.literals

type Type = (typeof types)[number]

const isType = (text: string | undefined): text is Type => types.some((type) => type === text)

interface Filter {
  readonly after: bigint
  readonly type: Type | undefined
  readonly walletId: string | undefined
}

const follow = (client: Client, { after, type, walletId }: Filter, onEvent: (row: Row) => void, signal: AbortSignal) =>
  client.follow(
    (api) =>
      api.feed
        .follow({
          headers: {},
          query: {
            after,
            ...(type === undefined ? {} : { type: [type] as const }),
            ...(walletId === undefined ? {} : { walletId: [walletId] as const })
          }
        })
        .pipe(
          Effect.flatMap((events) =>
            Stream.runForEach(Stream.take(events, most), (row) => Effect.sync(() => onEvent(row)))
          )
        ),
    signal
  )

interface Followed {
  readonly rows: ReadonlyArray<Row>
  readonly isOver: boolean
  readonly error: Error | undefined
}

const useFollowed = (client: Client, { after, type, walletId }: Filter): Followed => {
  const [followed, setFollowed] = useState<Followed>({ rows: [], isOver: false, error: undefined })
  useEffect(() => {
    const stop = new AbortController()
    const rows: Array<Row> = []
    let shown = 0
    const show = (isOver: boolean, error?: Error) => {
      if (stop.signal.aborted || (rows.length === shown && !isOver)) return
      shown = rows.length
      setFollowed({ rows: [...rows], isOver, error })
    }
    const timer = window.setInterval(() => show(false), gatherMillis)
    follow(client, { after, type, walletId }, (row) => void rows.push(row), stop.signal)
      .then(() => show(true))
      .catch((error: unknown) => show(true, error instanceof Error ? error : new Error(String(error))))
      .finally(() => window.clearInterval(timer))
    return () => {
      window.clearInterval(timer)
      stop.abort()
    }
  }, [after, client, type, walletId])
  return followed
}

const columns: ReadonlyArray<Column<Row>> = [
  { name: "Position", width: "minmax(4rem, 8rem)", cell: ({ id }) => id.toString() },
  { name: "Time (UTC)", width: "13rem", wide: true, cell: ({ data }) => <Time at={data.time} /> },
  {
    name: "Wallet",
    width: "minmax(5rem, 1fr)",
    cell: ({ data }) => <WalletLink id={data.walletId} version={data.version} />
  },
  { name: "Event", width: "minmax(6rem, 1fr)", cell: ({ event }) => titleOf(event) },
  {
    name: "Data",
    width: "minmax(8rem, 3fr)",
    wide: true,
    cell: ({ data }) => <code className="text">{JSON.stringify(data.data)}</code>
  }
]

const rowKey = ({ id }: Row): string => id.toString()
const nothing = () => undefined

const Events = ({ filter, onFrom }: { filter: Filter; onFrom: (after: bigint) => void }) => {
  const { client } = useSession()
  const { error, isOver, rows } = useFollowed(client, filter)
  const last = rows.at(-1)
  return (
    <section aria-label="Events">
      {error !== undefined && <Problem error={error} />}
      {rows.length === 0 && error === undefined && (
        <Empty>
          {isOver
            ? "The service has ended the stream. Load the page again."
            : "No such event yet: new ones are shown as they come."}
        </Empty>
      )}
      {rows.length > 0 && (
        <VirtualTable
          label="Events"
          columns={columns}
          rows={rows}
          rowKey={rowKey}
          hasMore={!isOver}
          isLoading={false}
          onMore={nothing}
        />
      )}
      {isOver && last !== undefined && (
        <div className="buttons">
          <button type="button" onClick={() => onFrom(last.id)}>
            Go on behind {last.id.toString()}
          </button>
        </div>
      )}
    </section>
  )
}

const FilterForm = ({ filter, onFilter }: { filter: Filter; onFilter: (search: Record<string, string>) => void }) => {
  const id = useId()
  const [after, setAfter] = useState(filter.after.toString())
  const [walletId, setWallet] = useState(filter.walletId ?? "")
  const [type, setType] = useState<string>(filter.type ?? "")
  const isRight = isPosition(after) && (walletId === "" || looksLikeId(walletId))
  const onSubmit = (event: FormEvent) => {
    event.preventDefault()
    if (isRight) onFilter({ after, ...(walletId === "" ? {} : { wallet: walletId }), ...(type === "" ? {} : { type }) })
  }
  return (
    <form className="inline" onSubmit={onSubmit} aria-label="Filter">
      <label htmlFor={`${id}-after`}>Behind position</label>
      <input id={`${id}-after`} inputMode="numeric" value={after} onChange={(event) => setAfter(event.target.value)} />
      <label htmlFor={`${id}-wallet`}>Wallet</label>
      <input
        id={`${id}-wallet`}
        value={walletId}
        placeholder="any"
        spellCheck={false}
        onChange={(event) => setWallet(event.target.value)}
      />
      <label htmlFor={`${id}-type`}>Type</label>
      <select id={`${id}-type`} value={type} onChange={(event) => setType(event.target.value)}>
        <option value="">any</option>
        {types.map((one) => (
          <option key={one} value={one}>
            {one}
          </option>
        ))}
      </select>
      <button type="submit" className="primary" disabled={!isRight}>
        Follow
      </button>
      {!isRight && <span className="hint fault">A position is digits, a wallet an id.</span>}
    </form>
  )
}

export const LogPage = () => {
  const search = route.useSearch()
  const navigate = route.useNavigate()
  const { after = "0", type, wallet } = search
  const filter: Filter = {
    after: isPosition(after) ? BigInt(after) : 0n,
    type: isType(type) ? type : undefined,
    walletId: wallet !== undefined && looksLikeId(wallet) ? wallet : undefined
  }
  const key = `${filter.after} ${filter.type} ${filter.walletId}`
  return (
    <>
      <header className="page-head">
        <div>
          <h1>Log</h1>
          <p className="quiet">
            Every event of every wallet in the order of the log, {most} at a time, then as they come.
          </p>
        </div>
      </header>
      <FilterForm key={`form ${key}`} filter={filter} onFilter={(next) => void navigate({ search: next })} />
      <Events
        key={key}
        filter={filter}
        onFrom={(from) => void navigate({ search: { ...search, after: from.toString() } })}
      />
    </>
  )
}
