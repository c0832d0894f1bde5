/** The keys of the API, and what was done and refused by them. */
import { useInfiniteQuery, useMutation, useQueryClient } from "@tanstack/react-query"
import { type FormEvent, useId, useState } from "react"
import type { AuditEntryJson, KeyJson, KeyScope } from "../../../src/http/api/KeySchemas.ts"
import { AdminOnly, Copy, Problem, Status, Time } from "../parts/Basics.tsx"
import { PagedTable } from "../parts/PagedTable.tsx"
import { Sure } from "../parts/Sure.tsx"
import type { Column } from "../parts/VirtualTable.tsx"
import { useSession } from "../session/Session.ts"

type Key = typeof KeyJson.Type
type Entry = typeof AuditEntryJson.Type
type Scope = typeof KeyScope.Type

const scopes: ReadonlyArray<readonly [Scope, string]> = [
  ["wallets:read", "look at everything"],
  ["wallets:write", "move money"],
  ["admin", "all of it, and freeze, keys, webhooks"]
]

/** As long as there is a next page. */
const paging = {
  initialPageParam: null as string | null,
  getNextPageParam: ({ next }: { readonly next: string | null }) => next
}

const cursorOf = (cursor: string | null) => ({ limit: 100, ...(cursor === null ? {} : { cursor }) })

const restrictionText = ({ restriction }: Key): string =>
  restriction === null ? "none" : Object.keys(restriction).join(", ")

const NewKey = () => {
  const { client } = useSession()
  const queries = useQueryClient()
  const id = useId()
  const [name, setName] = useState("")
  const [chosen, setChosen] = useState<ReadonlyArray<Scope>>(["wallets:read"])
  const make = useMutation({
    mutationFn: () => client.act((api) => api.keys.create({ query: {}, payload: { name, scopes: chosen } })),
    onSuccess: () => {
      setName("")
      return queries.invalidateQueries()
    }
  })
  const onSubmit = (event: FormEvent) => {
    event.preventDefault()
    make.mutate()
  }
  return (
    <section className="panel" aria-label="New key">
      <h2>New key</h2>
      <form onSubmit={onSubmit} autoComplete="off">
        <div className="field">
          <label htmlFor={id}>Name</label>
          <input id={id} value={name} maxLength={64} onChange={(event) => setName(event.target.value)} />
        </div>
        <fieldset>
          <legend>Scopes</legend>
          {scopes.map(([scope, what]) => (
            <label key={scope} className="flag">
              <input
                type="checkbox"
                checked={chosen.includes(scope)}
                onChange={(event) =>
                  setChosen(event.target.checked ? [...chosen, scope] : chosen.filter((one) => one !== scope))
                }
              />
              <code>{scope}</code> <span className="quiet">{what}</span>
            </label>
          ))}
        </fieldset>
        <div className="buttons">
          <button
            type="submit"
            className="primary"
            disabled={make.isPending || name.trim() === "" || chosen.length === 0}
          >
            Make a key
          </button>
        </div>
        <p className="hint">Restrictions and an end of its time are given by `wallet keys create` or the API.</p>
      </form>
      {make.error !== null && <Problem error={make.error} />}
      {make.data !== undefined && (
        <div className="notice" role="status">
          <p>
            <strong>Shown this once:</strong> only its hash is kept.
          </p>
          <p className="wraps">
            <code>{make.data.secret}</code> <Copy text={make.data.secret} what="the secret" label="Copy" />
          </p>
          <button type="button" onClick={() => make.reset()}>
            Put it away
          </button>
        </div>
      )}
    </section>
  )
}

const Revoke = ({ id, name }: Key) => {
  const { client } = useSession()
  const queries = useQueryClient()
  const revoke = useMutation({
    mutationFn: () => client.act((api) => api.keys.delete({ params: { id }, query: {} })),
    onSettled: () => queries.invalidateQueries()
  })
  return (
    <>
      <Sure
        label="Revoke"
        warning={`Nobody gets in with ${name} any more, within 5 seconds.`}
        disabled={revoke.isPending}
        onSure={() => revoke.mutate()}
      />
      {revoke.error !== null && <Problem error={revoke.error} />}
    </>
  )
}

const keyColumns: ReadonlyArray<Column<Key>> = [
  { name: "Name", width: "minmax(6rem, 1fr)", cell: ({ name }) => <span className="text">{name}</span> },
  { name: "Scopes", width: "minmax(6rem, 1fr)", cell: ({ scopes: own }) => own.join(", ") },
  { name: "Kept to", width: "minmax(5rem, 1fr)", wide: true, cell: restrictionText },
  { name: "Made", width: "13rem", wide: true, cell: ({ createdAt }) => <Time at={createdAt} /> },
  {
    name: "Ends",
    width: "13rem",
    wide: true,
    cell: ({ expiresAt }) => (expiresAt === null ? "never" : <Time at={expiresAt} />)
  },
  { name: "", width: "minmax(6rem, 1fr)", cell: (key) => <Revoke {...key} /> }
]

const Keys = () => {
  const { client } = useSession()
  const query = useInfiniteQuery({
    queryKey: ["keys"],
    queryFn: ({ pageParam, signal }) => client.read((api) => api.keys.list({ query: cursorOf(pageParam) }), signal),
    ...paging
  })
  return (
    <section aria-label="Keys">
      <h2>Keys</h2>
      <PagedTable
        label="Keys"
        query={query}
        columns={keyColumns}
        rowKey={keyOf}
        empty="There is no key but the configured one."
      />
    </section>
  )
}

const keyOf = ({ id }: Key): string => id
/** Entries have no id; they are only ever added at the front. */
const entryOf = ({ action, target, time }: Entry, index: number): string => `${time} ${action} ${target ?? ""} ${index}`

const entryColumns: ReadonlyArray<Column<Entry>> = [
  { name: "Time", width: "minmax(6rem, 13rem)", cell: ({ time }) => <Time at={time} /> },
  {
    name: "Key",
    width: "minmax(4rem, 1fr)",
    wide: true,
    cell: ({ keyName }) => <span className="text">{keyName}</span>
  },
  { name: "Act", width: "minmax(6rem, 1fr)", cell: ({ action }) => action },
  {
    name: "Outcome",
    width: "minmax(5rem, 7rem)",
    cell: ({ count, outcome }) => (
      <>
        <Status status={outcome === "done" ? "ok" : "down"} /> {outcome}
        {count > 1 ? ` × ${count}` : ""}
      </>
    )
  },
  { name: "Of", width: "minmax(5rem, 1fr)", wide: true, cell: ({ target }) => <code>{target ?? ""}</code> },
  {
    name: "Detail",
    width: "minmax(5rem, 2fr)",
    wide: true,
    cell: ({ detail }) => <span className="text">{detail ?? ""}</span>
  }
]

/** Milliseconds between two looks. */
const period = 5_000

const Audit = () => {
  const { client } = useSession()
  const [action, setAction] = useState("")
  const isAction = /^[A-Za-z]{1,32}\.[A-Za-z]{1,32}$/.test(action)
  const id = useId()
  const query = useInfiniteQuery({
    queryKey: ["audit", isAction ? action : ""],
    queryFn: ({ pageParam, signal }) =>
      client.read(
        (api) => api.audit.list({ query: { ...cursorOf(pageParam), ...(isAction ? { action } : {}) } }),
        signal
      ),
    refetchInterval: period,
    ...paging
  })
  return (
    <section aria-label="Audit">
      <h2>Audit</h2>
      <p className="inline">
        <label htmlFor={id}>Act</label>
        <input
          id={id}
          value={action}
          placeholder="wallet.freeze"
          spellCheck={false}
          aria-describedby={`${id}-hint`}
          onChange={(event) => setAction(event.target.value)}
        />
        <span id={`${id}-hint`} className="quiet">
          {action === "" || isAction ? "all, or one like key.create" : "two words with a dot between"}
        </span>
      </p>
      <PagedTable
        label="Audit"
        query={query}
        columns={entryColumns}
        rowKey={entryOf}
        empty="Nothing is on record: no admin has acted yet, and no key was refused."
      />
    </section>
  )
}

export const KeysPage = () => {
  const { scopes: own } = useSession()
  return (
    <>
      <header className="page-head">
        <div>
          <h1>Keys</h1>
          <p className="quiet">Who gets in, and what admins have done.</p>
        </div>
      </header>
      {own.admin ? (
        <>
          <NewKey />
          <Keys />
          <Audit />
        </>
      ) : (
        <AdminOnly />
      )}
    </>
  )
}
