/** The wallets in memory of the node that answers: how many, what waits, what appends gather, and who is the busiest. */
import { useQuery } from "@tanstack/react-query"
import type { ReactNode } from "react"
import type { ActorsJson } from "../../../src/http/api/InspectionSchemas.ts"
import type { ClusterJson } from "../../../src/http/api/OperationsSchemas.ts"
import { showSecond } from "../format/Time.ts"
import { AdminOnly, Empty, Facts, Loading, Problem, Status, WalletLink } from "../parts/Basics.tsx"
import { useSession } from "../session/Session.ts"

/** Milliseconds between two looks; the node makes a new one each second at most. */
const period = 2_000

type Actors = typeof ActorsJson.Type

const count = (value: number): string => value.toLocaleString("en")
const megabytes = (bytes: number): string => `${(bytes / 1e6).toFixed(1)} MB`

/** Figures by name, each with a bar as long as its share of the most. */
const Bars = ({ label, rows }: { label: string; rows: ReadonlyArray<readonly [string, ReactNode, number]> }) => {
  const most = Math.max(1, ...rows.map(([, , value]) => value))
  return (
    <table className="metrics bars" aria-label={label}>
      <tbody>
        {rows.map(([key, name, value]) => (
          <tr key={key}>
            <th scope="row">{name}</th>
            <td className="right">{count(value)}</td>
            <td className="bar" aria-hidden="true">
              <meter min={0} max={most} value={value} />
            </td>
          </tr>
        ))}
      </tbody>
    </table>
  )
}

const Hottest = ({ appends, hottest }: Actors) => (
  <section className="panel" aria-label="Busiest wallets">
    <h2>Busiest wallets</h2>
    <p className="quiet">
      Events since {showSecond(appends.since)}, about: a sample of large appends
      {hottest.error === 0 ? "" : `, and up to ${count(hottest.error)} more each`}.
    </p>
    {hottest.wallets.length === 0 ? (
      <Empty>Nothing was written in the last minutes.</Empty>
    ) : (
      <Bars
        label="Busiest wallets"
        rows={hottest.wallets.map(({ events, walletId }) => [walletId, <WalletLink key="id" id={walletId} />, events])}
      />
    )}
  </section>
)

const Mailboxes = ({ mailboxes: { busyWallets, deepest, maxPerWallet, waiting, waitingBytes } }: Actors) => (
  <section className="panel" aria-label="Mailboxes">
    <h2>Mailboxes</h2>
    <Facts
      facts={[
        ["Busy wallets", count(busyWallets)],
        ["Commands waiting", count(waiting)],
        ["Their texts", megabytes(waitingBytes)],
        ["A mailbox takes", count(maxPerWallet)]
      ]}
    />
    <h3>The deepest</h3>
    {deepest.length === 0 ? (
      <p className="quiet">No wallet has anything to do just now.</p>
    ) : (
      <Bars
        label="Deepest mailboxes"
        rows={deepest.map(({ running, waiting: queued, walletId }) => [
          walletId,
          <WalletLink key="id" id={walletId} />,
          queued + running
        ])}
      />
    )}
  </section>
)

const Appends = ({ appends }: Actors) => (
  <section className="panel" aria-label="Appends">
    <h2>Appends</h2>
    <Facts
      facts={[
        ["Since", showSecond(appends.since)],
        ["Appends", count(appends.count)],
        ["Events", count(appends.events)],
        ["Wallets an append", appends.count === 0 ? "–" : (appends.wallets / appends.count).toFixed(1)],
        ["Events an append", appends.count === 0 ? "–" : (appends.events / appends.count).toFixed(1)]
      ]}
    />
    {appends.sizes.length > 0 && (
      <Bars
        label="Appends by size"
        rows={appends.sizes.map(({ atMostWallets, count: times }) => [
          atMostWallets.toString(),
          atMostWallets === 1 ? "1 wallet" : `up to ${count(atMostWallets)}`,
          times
        ])}
      />
    )}
  </section>
)

const Nodes = ({ actors, cluster }: { actors: Actors; cluster: typeof ClusterJson.Type | undefined }) => (
  <section className="panel" aria-label="Nodes">
    <h2>Nodes</h2>
    <Facts
      facts={[
        ["Partitions", count(actors.partitions)],
        ["Of this node", count(actors.owned)],
        ["In nobody’s name", cluster === undefined || cluster.unowned === null ? "not known" : count(cluster.unowned)],
        ["Leases", cluster?.leases ?? "not known"],
        ["Wallets in memory", count(actors.resident.wallets)],
        ["Memory", `${megabytes(actors.resident.bytes)} of ${megabytes(actors.resident.maxBytes)}`]
      ]}
    />
    <ul className="list">
      {cluster?.nodes?.map(({ address, healthy, incarnation, partitions }) => (
        <li key={incarnation} className="wraps">
          <code>{incarnation}</code> {address !== null && <code>{address}</code>}{" "}
          <Status status={healthy ? "ok" : "down"} />{" "}
          <span className="quiet">
            {count(partitions)} partitions{incarnation === actors.incarnation ? ", answers here" : ""}
          </span>
        </li>
      ))}
    </ul>
    {cluster?.nodes === null && <p className="notice">The store of the leases does not answer. See CLUSTER.md.</p>}
  </section>
)

const Body = () => {
  const { client } = useSession()
  const actors = useQuery({
    queryKey: ["actors"],
    queryFn: ({ signal }) => client.read((api) => api.inspection.actors({ query: {} }), signal),
    refetchInterval: period
  })
  const cluster = useQuery({
    queryKey: ["cluster"],
    queryFn: ({ signal }) => client.read((api) => api.cluster.view({ query: {} }), signal),
    refetchInterval: period * 3
  })
  const error = actors.error ?? cluster.error
  return (
    <>
      {error !== null && <Problem error={error} onRetry={() => void actors.refetch()} />}
      {actors.data === undefined && actors.error === null && <Loading what="actors" />}
      {actors.data !== undefined && (
        <div className="grid">
          <Hottest {...actors.data} />
          <Mailboxes {...actors.data} />
          <Appends {...actors.data} />
          <Nodes actors={actors.data} cluster={cluster.data} />
        </div>
      )}
    </>
  )
}

export const ActorsPage = () => {
  const { scopes } = useSession()
  return (
    <>
      <header className="page-head">
        <div>
          <h1>Actors</h1>
          <p className="quiet">The wallets in memory of the node that answers here, every two seconds.</p>
        </div>
      </header>
      {scopes.admin ? <Body /> : <AdminOnly />}
    </>
  )
}
