/** One wallet: what it is now or was, what it holds, what is on its way, what has happened to it, and what can be done. */
import { useQuery } from "@tanstack/react-query"
import { getRouteApi, Link } from "@tanstack/react-router"
import { type ReactNode, useCallback, useState } from "react"
import { ActDialog } from "../acts/ActDialog.tsx"
import type { Hold, Transaction, Wallet } from "../acts/Command.ts"
import type { Subject } from "../acts/Forms.ts"
import { baseUrl } from "../api/Client.ts"
import { curlOf } from "../format/Curl.ts"
import { formatAmount } from "../format/Money.ts"
import { Amount, Copy, Facts, Loading, Metadata, Problem, Status, Time } from "../parts/Basics.tsx"
import { useSession } from "../session/Session.ts"
import { WalletHistory } from "./WalletHistory.tsx"
import { Holds, InFlight, Transactions } from "./WalletLists.tsx"
import { walletQuery, walletThenQuery } from "./walletQueries.ts"

const route = getRouteApi("/wallets/$id")

const Figure = ({ amount, currency, name }: { name: string; amount: bigint; currency: string }) => (
  <div className="figure">
    <span className="name">{name}</span>
    <Amount amount={amount} currency={currency} />
  </div>
)

const Figures = ({ wallet }: { wallet: Wallet }) => (
  <section className="figures" aria-label="Balance">
    <Figure name="Balance" amount={wallet.balance} currency={wallet.currency} />
    <Figure name="Held" amount={wallet.held} currency={wallet.currency} />
    <Figure name="Available" amount={wallet.available} currency={wallet.currency} />
    <Figure name="Overdraft limit" amount={wallet.overdraftLimit} currency={wallet.currency} />
  </section>
)

const acts = ["credit", "debit", "hold", "transfer", "freeze", "unfreeze", "close"] as const
type WalletAct = (typeof acts)[number]

const actName: Readonly<Record<WalletAct, string>> = {
  credit: "Credit",
  debit: "Debit",
  hold: "Hold",
  transfer: "Transfer",
  freeze: "Freeze",
  unfreeze: "Unfreeze",
  close: "Close"
}

/** Why it cannot be done; the rules of the engine judge everything else. */
const useObstacle = (wallet: Wallet, isPast: boolean): ((act: WalletAct) => string | undefined) => {
  const { scopes } = useSession()
  return (act) => {
    const admin = act === "freeze" || act === "unfreeze" || act === "close"
    if (admin ? !scopes.admin : !scopes.write) return `this key lacks the scope ${admin ? "admin" : "wallets:write"}`
    if (isPast) return "this is the past: go back to now"
    return wallet.status === "closed" ? "the wallet is closed" : undefined
  }
}

interface ActsProps {
  readonly wallet: Wallet
  readonly isPast: boolean
  readonly onAct: (act: WalletAct) => void
}

const Acts = ({ isPast, onAct, wallet }: ActsProps) => {
  const obstacle = useObstacle(wallet, isPast)
  const shown = acts.filter((act) => (act === "unfreeze" ? wallet.status === "frozen" : true))
  const reasons = new Set(shown.map(obstacle).filter((reason) => reason !== undefined))
  return (
    <div className="acts">
      <div className="buttons" role="group" aria-label="Acts">
        {shown.map((act) => {
          const reason = obstacle(act)
          return (
            <button key={act} type="button" disabled={reason !== undefined} title={reason} onClick={() => onAct(act)}>
              {actName[act]}
            </button>
          )
        })}
      </div>
      {reasons.size > 0 && <p className="hint">{[...reasons].join("; ")}</p>}
    </div>
  )
}

const Head = ({ wallet, children }: { wallet: Wallet; children: ReactNode }) => {
  const { scopes } = useSession()
  return (
    <header className="page-head">
      <div>
        <h1>
          <span className="kind">Wallet</span> <code>{wallet.id}</code> <Status status={wallet.status} />
        </h1>
        <p className="quiet">
          owner{" "}
          <Link to="/" search={{ kind: "wallets", ownerId: wallet.ownerId }}>
            <code>{wallet.ownerId}</code>
          </Link>{" "}
          · {wallet.currency} · version {wallet.version} ·{" "}
          <Copy text={wallet.id} what="the wallet’s id" label="Copy id" />{" "}
          <Copy
            text={curlOf(baseUrl, { method: "GET", path: `/v1/wallets/${wallet.id}` })}
            what="this request"
            label="Copy as curl"
          />
          {scopes.admin && (
            <>
              {" · "}
              <Link to="/wallets/$id/stores" params={{ id: wallet.id }}>
                In every store
              </Link>
            </>
          )}
        </p>
        {wallet.freeze !== null && (
          <p className="notice">
            Frozen for {wallet.freeze.direction}
            {wallet.freeze.until === null ? (
              " until it is unfrozen"
            ) : (
              <>
                {" "}
                until <Time at={wallet.freeze.until} /> UTC
              </>
            )}
            {wallet.freeze.reason === null ? "" : `: ${wallet.freeze.reason}`}
          </p>
        )}
      </div>
      {children}
    </header>
  )
}

const Aside = ({ shown }: { shown: Wallet }) => (
  <aside className="panel">
    <h2>Metadata</h2>
    <Metadata metadata={shown.metadata} />
    <h2>Times</h2>
    <Facts
      facts={[
        ["created", <Time at={shown.createdAt} key="created" />],
        ["last event", <Time at={shown.updatedAt} key="updated" />]
      ]}
    />
  </aside>
)

/** Numbers in an address may be anything. */
const versionIn = (text: string | undefined, last: number): number | undefined => {
  if (text === undefined || !/^\d{1,15}$/.test(text)) return undefined
  const version = Number(text)
  return version < last ? version : undefined
}

const View = ({ wallet, stale }: { wallet: Wallet; stale: Error | null }) => {
  const { client, scopes } = useSession()
  const { v } = route.useSearch()
  const navigate = route.useNavigate()
  const [subject, setSubject] = useState<Subject>()
  const past = versionIn(v, wallet.version)
  const then = useQuery({ ...walletThenQuery(client, wallet.id, past ?? 0), enabled: past !== undefined })
  const shown = past === undefined ? wallet : (then.data ?? wallet)
  const onVersion = useCallback(
    (version: number | undefined) =>
      void navigate({
        search: version === undefined ? {} : { v: version.toString() },
        replace: true,
        resetScroll: false
      }),
    [navigate]
  )
  const onHold = (act: "capture" | "release", hold: Hold) => setSubject({ act, hold, wallet })
  const onRefund = (transaction: Transaction) => setSubject({ act: "refundTransaction", transaction })
  return (
    <>
      <Head wallet={wallet}>
        <Acts wallet={wallet} isPast={past !== undefined} onAct={(act) => setSubject({ act, wallet })} />
      </Head>
      {stale !== null && <Problem error={stale} />}
      {past !== undefined && (
        <p className="notice" role="status">
          As of version {past}
          {then.data === undefined ? (
            ""
          ) : (
            <>
              , <Time at={shown.updatedAt} /> UTC
            </>
          )}
          : balance {formatAmount(shown.balance, shown.currency)}, now {formatAmount(wallet.balance, wallet.currency)}.{" "}
          <button type="button" onClick={() => onVersion(undefined)}>
            Back to now
          </button>
        </p>
      )}
      {then.error !== null && past !== undefined && <Problem error={then.error} />}
      <Figures wallet={shown} />
      <div className="columns">
        <div className="main">
          <WalletHistory wallet={wallet} version={past ?? wallet.version} onVersion={onVersion} />
          <Transactions walletId={wallet.id} canRefund={scopes.write} onRefund={onRefund} />
        </div>
        <div className="side">
          <Holds wallet={wallet} canAct={scopes.write} onAct={onHold} />
          <InFlight walletId={wallet.id} />
          <Aside shown={shown} />
        </div>
      </div>
      {subject !== undefined && <ActDialog subject={subject} onClose={() => setSubject(undefined)} />}
    </>
  )
}

export const WalletPage = () => {
  const { id } = route.useParams()
  const { client } = useSession()
  const wallet = useQuery(walletQuery(client, id))
  if (wallet.data !== undefined) return <View key={id} wallet={wallet.data} stale={wallet.error} />
  if (wallet.error !== null) {
    return (
      <>
        <h1>
          <span className="kind">Wallet</span> <code>{id}</code>
        </h1>
        <Problem error={wallet.error} onRetry={() => void wallet.refetch()} />
      </>
    )
  }
  return <Loading what="the wallet" />
}
