/** One box for everything: an id, an owner, words, filters. */
import { useInfiniteQuery, useQueries } from "@tanstack/react-query"
import { getRouteApi, useNavigate } from "@tanstack/react-router"
import { type FormEvent, useCallback, useMemo, useState } from "react"
import { ActDialog } from "../acts/ActDialog.tsx"
import { Failure } from "../api/Failure.ts"
import type { CsvColumn } from "../format/Csv.ts"
import { chipOf, type Filters, looksLikeId, parseFind } from "../format/Filters.ts"
import { holdCsv, transactionCsv, transferCsv, walletCsv } from "../format/Lists.ts"
import { Empty, Problem, Status, TransferLink, WalletLink } from "../parts/Basics.tsx"
import { CsvButton } from "../parts/CsvButton.tsx"
import { type Column, VirtualTable } from "../parts/VirtualTable.tsx"
import { useSession } from "../session/Session.ts"
import { holdColumns, transactionColumns, transferColumns, walletColumns } from "./findColumns.tsx"
import { BadFilter, type Kind, kindOf, kinds, lists, type Rows, takes } from "./findQueries.ts"

const route = getRouteApi("/")

const columns: { readonly [K in Kind]: ReadonlyArray<Column<Rows[K]>> } = {
  wallets: walletColumns,
  transactions: transactionColumns,
  transfers: transferColumns,
  holds: holdColumns
}

const csv: { readonly [K in Kind]: ReadonlyArray<CsvColumn<Rows[K]>> } = {
  wallets: walletCsv,
  transactions: transactionCsv,
  transfers: transferCsv,
  holds: holdCsv
}

const titles: Readonly<Record<Kind, string>> = {
  wallets: "Wallets",
  transactions: "Transactions",
  transfers: "Transfers",
  holds: "Holds"
}

interface ListProps<K extends Kind> {
  readonly kind: K
  readonly filters: Filters
}

const Nothing = ({ filters, kind }: ListProps<Kind>) =>
  Object.keys(filters).length > 0 ? (
    <Empty>
      No {kind} match. A word is looked for as a whole: <code>inv*</code> finds what begins so.
    </Empty>
  ) : (
    <Empty>
      {kind === "wallets" ? "There is no wallet yet. Make the first one: New wallet." : `There are no ${kind} yet.`}
    </Empty>
  )

const List = <K extends Kind>({ filters, kind }: ListProps<K>) => {
  const { client } = useSession()
  const ask = lists[kind]
  const query = useInfiniteQuery({
    queryKey: ["find", kind, filters],
    queryFn: ({ pageParam, signal }) => ask(client, filters, pageParam, signal),
    initialPageParam: null as string | null,
    getNextPageParam: ({ next }) => next
  })
  const rows = useMemo(() => query.data?.pages.flatMap(({ data }) => data) ?? [], [query.data])
  const { fetchNextPage } = query
  const onMore = useCallback(() => void fetchNextPage(), [fetchNextPage])
  const page = useCallback((cursor: string | null) => ask(client, filters, cursor), [ask, client, filters])
  const isBad = query.error instanceof BadFilter
  return (
    <section aria-label={titles[kind]}>
      {query.error !== null && (
        <Problem error={query.error} {...(isBad ? {} : { onRetry: () => void query.refetch() })} />
      )}
      {rows.length === 0 && query.data !== undefined && <Nothing kind={kind} filters={filters} />}
      {rows.length > 0 && (
        <>
          <div className="list-tools">
            <CsvButton name={kind} columns={csv[kind]} page={page} />
          </div>
          <VirtualTable
            label={titles[kind]}
            columns={columns[kind]}
            rows={rows}
            rowKey={({ id }) => id}
            hasMore={query.hasNextPage}
            isLoading={query.isFetching}
            onMore={onMore}
          />
        </>
      )}
      {rows.length === 0 && query.isFetching && (
        <p className="quiet" role="status">
          Looking …
        </p>
      )}
    </section>
  )
}

/** None of this id is no failure here. */
const orNone = async <A,>(found: Promise<A>): Promise<A | null> => {
  try {
    return await found
  } catch (error) {
    if (error instanceof Failure && error.status === 404) return null
    throw error
  }
}

/** What has this very id. */
const ById = ({ id }: { id: string }) => {
  const { client } = useSession()
  const [wallet, transaction, transfer] = useQueries({
    queries: [
      {
        queryKey: ["by id", "wallet", id],
        queryFn: () => orNone(client.read((api) => api.wallets.get({ params: { id }, query: {} })))
      },
      {
        queryKey: ["by id", "transaction", id],
        queryFn: () => orNone(client.read((api) => api.transactions.get({ params: { id }, query: {} })))
      },
      {
        queryKey: ["by id", "transfer", id],
        queryFn: () => orNone(client.read((api) => api.transfers.get({ params: { id }, query: {} })))
      }
    ]
  })
  const found = [wallet.data, transaction.data, transfer.data].some((one) => one !== null && one !== undefined)
  if (!found) return null
  return (
    <section className="panel by-id" aria-label="With this id">
      {wallet.data && (
        <p>
          Wallet <WalletLink id={wallet.data.id} /> <Status status={wallet.data.status} />
        </p>
      )}
      {transaction.data && (
        <p>
          Transaction, a {transaction.data.type.replace("_", " ")} of wallet{" "}
          <WalletLink id={transaction.data.walletId} version={transaction.data.version} /> at version{" "}
          {transaction.data.version}
        </p>
      )}
      {transfer.data && (
        <p>
          Transfer <TransferLink id={transfer.data.id} /> <Status status={transfer.data.status} />
        </p>
      )}
    </section>
  )
}

const Chips = ({ filters, kind, onRemove }: ListProps<Kind> & { onRemove: (name: string) => void }) => (
  <ul className="chips" aria-label="Filters">
    {Object.entries(filters).map(([name, value]) => (
      <li key={name} className={takes(kind, name) ? "chip" : "chip idle"}>
        <span className="text">{chipOf(name, value)}</span>
        {!takes(kind, name) && <span className="quiet"> not of {kind}</span>}
        <button type="button" onClick={() => onRemove(name)} aria-label={`Remove the filter ${chipOf(name, value)}`}>
          ×
        </button>
      </li>
    ))}
  </ul>
)

const Box = ({ onFind }: { onFind: (filters: Filters) => void }) => {
  const [text, setText] = useState("")
  const onSubmit = (event: FormEvent) => {
    event.preventDefault()
    const found = parseFind(text)
    if (Object.keys(found).length > 0) onFind(found)
    setText("")
  }
  return (
    <form className="find" role="search" onSubmit={onSubmit}>
      <label htmlFor="find" className="hidden">
        Find
      </label>
      <input
        id="find"
        type="search"
        value={text}
        onChange={(event) => setText(event.target.value)}
        placeholder='An id, an owner, words, owner:ann ref:"invoice 9" meta.plan:gold …'
        autoComplete="off"
        spellCheck={false}
        aria-describedby="find-hint"
      />
      <button type="submit" className="primary">
        Find
      </button>
      <p id="find-hint" className="hint">
        Filters: <code>owner:</code> <code>wallet:</code> <code>ref:</code> <code>key:</code> <code>currency:</code>{" "}
        <code>status:</code> <code>type:</code> <code>transfer:</code> <code>meta.name:</code> <code>from:</code>{" "}
        <code>to:</code> <code>min:</code> <code>max:</code> (minor units)
      </p>
    </form>
  )
}

export const FindPage = () => {
  const { kind: given, ...filters } = route.useSearch()
  const kind = kindOf(given)
  const navigate = route.useNavigate()
  const go = useNavigate()
  const { scopes } = useSession()
  const [isCreating, setCreating] = useState(false)
  const show = (next: Filters, of: Kind = kind) => void navigate({ search: { kind: of, ...next } })
  const onRemove = (name: string) => show(Object.fromEntries(Object.entries(filters).filter(([one]) => one !== name)))
  const word = filters["q"] !== undefined && looksLikeId(filters["q"]) ? filters["q"] : undefined
  return (
    <>
      <div className="page-head">
        <h1>Find</h1>
        <button
          type="button"
          className="primary"
          disabled={!scopes.write}
          title={scopes.write ? undefined : "this key lacks the scope wallets:write"}
          onClick={() => setCreating(true)}
        >
          New wallet
        </button>
      </div>
      <Box onFind={(found) => show({ ...filters, ...found })} />
      <Chips kind={kind} filters={filters} onRemove={onRemove} />
      {word !== undefined && <ById id={word} />}
      <div className="tabs" role="group" aria-label="What to look for">
        {kinds.map((one) => (
          <button key={one} type="button" aria-pressed={one === kind} onClick={() => show(filters, one)}>
            {titles[one]}
          </button>
        ))}
      </div>
      <List key={kind} kind={kind} filters={filters} />
      {isCreating && (
        <ActDialog
          subject={{ act: "create" }}
          onClose={() => setCreating(false)}
          onDone={({ walletId }) => {
            if (typeof walletId === "string") void go({ to: "/wallets/$id", params: { id: walletId } })
          }}
        />
      )}
    </>
  )
}
