/** Webhooks: how far each is behind the log, what was delivered, and whether it can be reached. */
import { useInfiniteQuery, useMutation, useQuery, useQueryClient } from "@tanstack/react-query"
import type { DeliveryJson, WebhookJson } from "../../../src/http/api/WebhooksApi.ts"
import { AdminOnly, Empty, Facts, Loading, Problem, Status, Time, WalletLink } from "../parts/Basics.tsx"
import { PagedTable } from "../parts/PagedTable.tsx"
import { Sure } from "../parts/Sure.tsx"
import type { Column } from "../parts/VirtualTable.tsx"
import { useSession } from "../session/Session.ts"

/** Milliseconds between two looks. */
const period = 5_000

type Webhook = typeof WebhookJson.Type
type Delivery = typeof DeliveryJson.Type

const deliveryColumns: ReadonlyArray<Column<Delivery>> = [
  { name: "Time", width: "minmax(6rem, 13rem)", cell: ({ time }) => <Time at={time} /> },
  { name: "Event", width: "minmax(6rem, 1fr)", cell: ({ type, version }) => `${type}, version ${version}` },
  {
    name: "Wallet",
    width: "minmax(5rem, 1fr)",
    wide: true,
    cell: ({ version, walletId }) => <WalletLink id={walletId} version={version} />
  },
  {
    name: "Outcome",
    width: "minmax(6rem, 1fr)",
    cell: ({ error, httpStatus, status }) => (
      <>
        <Status status={status === "acknowledged" ? "ok" : "down"} />{" "}
        <span className="wraps">
          {status} {httpStatus ?? ""} {error ?? ""}
        </span>
      </>
    )
  },
  { name: "Try", width: "3rem", right: true, wide: true, cell: ({ attempt }) => attempt },
  { name: "ms", width: "4rem", right: true, wide: true, cell: ({ durationMillis }) => durationMillis }
]

const deliveryKey = ({ attempt, id, time }: Delivery): string => `${id} ${attempt} ${time}`

const Deliveries = ({ id }: { id: string }) => {
  const { client } = useSession()
  const query = useInfiniteQuery({
    queryKey: ["webhook", id, "deliveries"],
    queryFn: ({ pageParam, signal }) =>
      client.read(
        (api) =>
          api.webhooks.deliveries({
            params: { id },
            query: { limit: 100, ...(pageParam === null ? {} : { cursor: pageParam }) }
          }),
        signal
      ),
    initialPageParam: null as string | null,
    getNextPageParam: ({ next }) => next,
    refetchInterval: period
  })
  return (
    <PagedTable
      label="Latest attempts"
      query={query}
      columns={deliveryColumns}
      rowKey={deliveryKey}
      empty="Nothing was sent yet. Try it by Send a test."
    />
  )
}

const useActs = (id: string) => {
  const { client } = useSession()
  const queries = useQueryClient()
  const onSettled = () => queries.invalidateQueries()
  const test = useMutation({
    mutationFn: () => client.act((api) => api.webhooks.test({ params: { id }, query: {} })),
    onSettled
  })
  const change = useMutation({
    mutationFn: (status: "enabled" | "disabled") =>
      client.act((api) => api.webhooks.update({ params: { id }, query: {}, payload: { status } })),
    onSettled
  })
  return { test, change }
}

const wantedBy = ({ ownerId, types, walletIds }: Webhook): string => {
  const parts = [
    types === null ? "" : types.join(", "),
    walletIds === null ? "" : `wallets ${walletIds.join(", ")}`,
    ownerId === null ? "" : `of ${ownerId}`
  ].filter((part) => part !== "")
  return parts.length === 0 ? "all events" : parts.join("; ")
}

/** Positions are of all events, wanted or not: a filter makes a webhook pass over what it does not want. */
const behind = ({ position }: Webhook, head: bigint | undefined): string =>
  head === undefined ? "not known" : head <= position ? "none" : `${(head - position).toLocaleString("en")} positions`

const One = ({ head, webhook }: { webhook: Webhook; head: bigint | undefined }) => {
  const { change, test } = useActs(webhook.id)
  const error = test.error ?? change.error
  return (
    <section className="panel" aria-label={`Webhook ${webhook.id}`}>
      <div className="panel-head">
        <h2 className="wraps">
          <code>{webhook.url}</code>
        </h2>
        <Status status={webhook.status} />
      </div>
      {webhook.description !== null && <p className="text">{webhook.description}</p>}
      {webhook.lastError !== null && (
        <p className="notice">
          {webhook.lastError}
          {webhook.status === "disabled" ? " Enable it when its receiver is back: it goes on from where it was." : ""}
        </p>
      )}
      <Facts
        facts={[
          ["Wants", wantedBy(webhook)],
          ["Behind the log", behind(webhook, head)],
          ["Wallets behind", webhook.walletsBehind.toLocaleString("en")],
          ["Acknowledged up to", webhook.position.toString()],
          ["Made", <Time key="made" at={webhook.createdAt} />]
        ]}
      />
      <div className="buttons">
        <button type="button" disabled={test.isPending} onClick={() => test.mutate()}>
          {test.isPending ? "Sending …" : "Send a test"}
        </button>
        {webhook.status === "disabled" ? (
          <button type="button" disabled={change.isPending} onClick={() => change.mutate("enabled")}>
            Enable
          </button>
        ) : (
          <Sure
            label="Disable"
            warning="Nothing is sent to it until it is enabled again; nothing is lost."
            disabled={change.isPending}
            onSure={() => change.mutate("disabled")}
          />
        )}
      </div>
      {error !== null && <Problem error={error} />}
      {test.data !== undefined && (
        <p role="status">
          The test was {test.data.status} {test.data.httpStatus ?? ""} in {test.data.durationMillis} ms.{" "}
          {test.data.error ?? ""}
        </p>
      )}
      <Deliveries id={webhook.id} />
    </section>
  )
}

const Body = () => {
  const { client } = useSession()
  const webhooks = useQuery({
    queryKey: ["webhooks"],
    queryFn: ({ signal }) => client.read((api) => api.webhooks.list({ query: { limit: 50 } }), signal),
    refetchInterval: period
  })
  const actors = useQuery({
    queryKey: ["actors"],
    queryFn: ({ signal }) => client.read((api) => api.inspection.actors({ query: {} }), signal),
    refetchInterval: period
  })
  const head = actors.data?.head ?? undefined
  if (webhooks.data === undefined) {
    return webhooks.error === null ? (
      <Loading what="webhooks" />
    ) : (
      <Problem error={webhooks.error} onRetry={() => void webhooks.refetch()} />
    )
  }
  return (
    <>
      {webhooks.error !== null && <Problem error={webhooks.error} />}
      {webhooks.data.data.length === 0 && (
        <Empty>
          There is no webhook. Make one by <code>POST /v1/webhooks</code>; see WEBHOOKS.md.
        </Empty>
      )}
      {webhooks.data.data.map((webhook) => (
        <One key={webhook.id} webhook={webhook} head={head} />
      ))}
      {webhooks.data.next !== null && <p className="hint">These are the newest 50.</p>}
    </>
  )
}

export const WebhooksPage = () => {
  const { scopes } = useSession()
  return (
    <>
      <header className="page-head">
        <div>
          <h1>Webhooks</h1>
          <p className="quiet">What is sent elsewhere, and how far that is behind.</p>
        </div>
      </header>
      {scopes.admin ? <Body /> : <AdminOnly />}
    </>
  )
}
