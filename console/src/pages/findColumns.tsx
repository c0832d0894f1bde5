/** The columns of the lists of "Find". */
import type { Hold, Transaction, Transfer, Wallet } from "../acts/Command.ts"
import { Amount, Copy, Status, Time, TransferLink, WalletLink } from "../parts/Basics.tsx"
import type { Column } from "../parts/VirtualTable.tsx"

const money = "minmax(8rem, 14rem)"
const time = "12.5rem"
const id = "minmax(8rem, 2fr)"

export const walletColumns: ReadonlyArray<Column<Wallet>> = [
  { name: "Wallet", width: id, cell: (wallet) => <WalletLink id={wallet.id} /> },
  { name: "Owner", width: "minmax(6rem, 1fr)", wide: true, cell: ({ ownerId }) => <code>{ownerId}</code> },
  { name: "Status", width: "5rem", wide: true, cell: ({ status }) => <Status status={status} /> },
  {
    name: "Balance",
    width: money,
    right: true,
    cell: ({ balance, currency }) => <Amount amount={balance} currency={currency} />
  },
  {
    name: "Available",
    width: money,
    right: true,
    wide: true,
    cell: ({ available, currency }) => <Amount amount={available} currency={currency} />
  },
  { name: "Last event (UTC)", width: time, wide: true, cell: ({ updatedAt }) => <Time at={updatedAt} /> }
]

export const transactionColumns: ReadonlyArray<Column<Transaction>> = [
  { name: "Type", width: "6.5rem", cell: ({ type }) => type.replace("_", " ") },
  {
    name: "Wallet",
    width: id,
    cell: ({ version, walletId }) => <WalletLink id={walletId} version={version} />
  },
  {
    name: "Amount",
    width: money,
    right: true,
    cell: ({ amount, currency }) => <Amount amount={amount} currency={currency} />
  },
  {
    name: "Reference",
    width: "minmax(6rem, 2fr)",
    wide: true,
    cell: ({ reference }) => <span className="text">{reference}</span>
  },
  { name: "Created (UTC)", width: time, wide: true, cell: ({ createdAt }) => <Time at={createdAt} /> },
  {
    name: "",
    width: "3.5rem",
    right: true,
    wide: true,
    cell: (one) => <Copy text={one.id} what={`the id ${one.id}`} label="Id" />
  }
]

export const transferColumns: ReadonlyArray<Column<Transfer>> = [
  { name: "Transfer", width: id, cell: (transfer) => <TransferLink id={transfer.id} /> },
  {
    name: "From → to",
    width: "minmax(8rem, 3fr)",
    wide: true,
    cell: ({ from, legs, to }) =>
      from !== null && to !== null ? (
        <>
          <WalletLink id={from} /> → <WalletLink id={to} />
        </>
      ) : (
        `${legs.length} legs`
      )
  },
  { name: "Status", width: "6rem", cell: ({ status }) => <Status status={status} /> },
  {
    name: "Amount",
    width: money,
    right: true,
    cell: ({ amount, currency }) =>
      amount !== null && currency !== null ? (
        <Amount amount={amount} currency={currency} />
      ) : (
        <span className="quiet">legs</span>
      )
  },
  { name: "Created (UTC)", width: time, wide: true, cell: ({ createdAt }) => <Time at={createdAt} /> }
]

/** The currency of a hold is its wallet's: the integer says what it is. */
export const holdColumns: ReadonlyArray<Column<Hold>> = [
  { name: "Wallet", width: id, cell: ({ walletId }) => <WalletLink id={walletId} /> },
  { name: "Status", width: "6rem", cell: ({ status }) => <Status status={status} /> },
  {
    name: "Amount, minor units",
    width: money,
    right: true,
    cell: ({ amount }) => <span className="amount">{amount.toString()}</span>
  },
  {
    name: "Remaining",
    width: money,
    right: true,
    wide: true,
    cell: ({ remaining }) => <span className="amount">{remaining.toString()}</span>
  },
  {
    name: "Reference",
    width: "minmax(6rem, 2fr)",
    wide: true,
    cell: ({ reference }) => <span className="text">{reference}</span>
  },
  {
    name: "Expires (UTC)",
    width: time,
    wide: true,
    cell: ({ expiresAt }) => (expiresAt === null ? <span className="quiet">never</span> : <Time at={expiresAt} />)
  },
  {
    name: "",
    width: "3.5rem",
    right: true,
    wide: true,
    cell: (one) => <Copy text={one.id} what={`the id ${one.id}`} label="Id" />
  }
]
