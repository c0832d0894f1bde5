/** What hangs on a wallet: transactions, holds, transfers on their way. */
import { useInfiniteQuery, useQuery } from "@tanstack/react-query"
import { useCallback, useMemo, useState } from "react"
import type { Hold, Transaction, Wallet } from "../acts/Command.ts"
import { Amount, Copy, Empty, Problem, Status, Time, TransferLink } from "../parts/Basics.tsx"
import { type Column, VirtualTable } from "../parts/VirtualTable.tsx"
import { CsvButton } from "../parts/CsvButton.tsx"
import { transactionCsv } from "../format/Lists.ts"
import { useSession } from "../session/Session.ts"
import { holdsQuery, inFlightQuery, livePeriod, transactionsQuery } from "./walletQueries.ts"

const refundable = ({ amount, refundOf, refunded, transferId, type }: Transaction): boolean =>
  ["credit", "debit", "capture"].includes(type) && transferId === null && refundOf === null && refunded < amount

interface TransactionsProps {
  readonly walletId: string
  readonly canRefund: boolean
  readonly onRefund: (transaction: Transaction) => void
}

const transactionColumns = (
  canRefund: boolean,
  onRefund: TransactionsProps["onRefund"]
): ReadonlyArray<Column<Transaction>> => [
  { name: "Type", width: "6.5rem", cell: ({ type }) => type.replace("_", " ") },
  { name: "Created (UTC)", width: "12.5rem", wide: true, cell: ({ createdAt }) => <Time at={createdAt} /> },
  {
    name: "Amount",
    width: "minmax(8rem, 13rem)",
    right: true,
    cell: ({ amount, currency }) => <Amount amount={amount} currency={currency} />
  },
  {
    name: "Reference",
    width: "minmax(6rem, 1fr)",
    wide: true,
    cell: ({ reference, transferId }) => (
      <span className="text">
        {reference} {transferId !== null && <TransferLink id={transferId} />}
      </span>
    )
  },
  {
    name: "",
    width: "9.5rem",
    right: true,
    cell: (transaction) => (
      <>
        {transaction.refunded > 0n && <span className="quiet">refunded </span>}
        {canRefund && refundable(transaction) && (
          <button type="button" className="small" onClick={() => onRefund(transaction)}>
            Refund
          </button>
        )}{" "}
        <Copy text={transaction.id} what={`the id ${transaction.id}`} label="Id" />
      </>
    )
  }
]

export const Transactions = ({ canRefund, onRefund, walletId }: TransactionsProps) => {
  const { client } = useSession()
  const query = useInfiniteQuery(transactionsQuery(client, walletId))
  const rows = useMemo(() => query.data?.pages.flatMap(({ data }) => data) ?? [], [query.data])
  const { fetchNextPage } = query
  const onMore = useCallback(() => void fetchNextPage(), [fetchNextPage])
  const columns = useMemo(() => transactionColumns(canRefund, onRefund), [canRefund, onRefund])
  const page = useCallback(
    (cursor: string | null) =>
      client.read((api) =>
        api.wallets.transactions({
          params: { id: walletId },
          query: { limit: 200, ...(cursor === null ? {} : { cursor }) }
        })
      ),
    [client, walletId]
  )
  return (
    <section className="panel" aria-label="Transactions">
      <div className="panel-head">
        <h2>Transactions</h2>
        <CsvButton name={`transactions-${walletId}`} columns={transactionCsv} page={page} />
      </div>
      {query.error !== null && <Problem error={query.error} onRetry={() => void query.refetch()} />}
      {rows.length === 0 && query.data !== undefined && (
        <Empty>No money has moved yet. A credit is the first step.</Empty>
      )}
      {rows.length > 0 && (
        <VirtualTable
          label="Transactions"
          columns={columns}
          rows={rows}
          rowKey={({ id }) => id}
          hasMore={query.hasNextPage}
          isLoading={query.isFetching && !query.isRefetching}
          onMore={onMore}
        />
      )}
    </section>
  )
}

interface HoldsProps {
  readonly wallet: Wallet
  readonly canAct: boolean
  readonly onAct: (act: "capture" | "release", hold: Hold) => void
}

const HoldItem = ({ canAct, hold, onAct, wallet }: HoldsProps & { hold: Hold }) => (
  <li>
    <div className="line">
      <Amount amount={hold.status === "active" ? hold.remaining : hold.amount} currency={wallet.currency} />
      <Status status={hold.status} />
    </div>
    <p className="quiet">
      {hold.captured > 0n && (
        <>
          captured <Amount amount={hold.captured} currency={wallet.currency} /> ·{" "}
        </>
      )}
      {hold.expiresAt === null ? (
        "does not expire"
      ) : (
        <>
          expires <Time at={hold.expiresAt} />
        </>
      )}
    </p>
    {hold.reference !== null && <p className="text">{hold.reference}</p>}
    <p className="line">
      <Copy text={hold.id} what={`the hold’s id ${hold.id}`} label="Copy id" />
      {hold.status === "active" && canAct && (
        <span className="buttons">
          <button type="button" className="small" onClick={() => onAct("capture", hold)}>
            Capture
          </button>
          <button type="button" className="small" onClick={() => onAct("release", hold)}>
            Release
          </button>
        </span>
      )}
    </p>
  </li>
)

export const Holds = (props: HoldsProps) => {
  const { client } = useSession()
  const [all, setAll] = useState(false)
  const query = useInfiniteQuery({
    ...holdsQuery(client, props.wallet.id, all ? undefined : "active"),
    refetchInterval: livePeriod
  })
  const rows = query.data?.pages.flatMap(({ data }) => data) ?? []
  return (
    <section className="panel" aria-label="Holds">
      <div className="panel-head">
        <h2>Holds</h2>
        <label className="flag">
          <input type="checkbox" checked={all} onChange={(event) => setAll(event.target.checked)} /> closed ones, too
        </label>
      </div>
      {query.error !== null && <Problem error={query.error} onRetry={() => void query.refetch()} />}
      {rows.length === 0 && query.data !== undefined && <p className="quiet">{all ? "None" : "None is open"}</p>}
      <ul className="list">
        {rows.map((hold) => (
          <HoldItem key={hold.id} {...props} hold={hold} />
        ))}
      </ul>
      {query.hasNextPage && (
        <button type="button" disabled={query.isFetchingNextPage} onClick={() => void query.fetchNextPage()}>
          More
        </button>
      )}
    </section>
  )
}

export const InFlight = ({ walletId }: { walletId: string }) => {
  const { client } = useSession()
  const query = useQuery({ ...inFlightQuery(client, walletId), refetchInterval: livePeriod })
  return (
    <section className="panel" aria-label="Transfers in flight">
      <h2>Transfers in flight</h2>
      {query.error !== null && <Problem error={query.error} />}
      {query.data?.data.length === 0 && <p className="quiet">None</p>}
      <ul className="list">
        {query.data?.data.map(({ amount, createdAt, currency, from, id, legs, to }) => (
          <li key={id}>
            {amount !== null && currency !== null ? (
              <Amount amount={amount} currency={currency} />
            ) : (
              `${legs.length} legs`
            )}
            <p className="quiet">
              {from !== null && to !== null ? `${from} → ${to} · ` : ""}
              <Time at={createdAt} />
            </p>
            <TransferLink id={id} />
          </li>
        ))}
      </ul>
    </section>
  )
}
