/** Small things that every page is made of. All text is text: nothing here, and nowhere, becomes markup. */
import { Link } from "@tanstack/react-router"
import { type ReactNode, useEffect, useRef, useState } from "react"
import { Failure } from "../api/Failure.ts"
import { exponentOf, formatAmount } from "../format/Money.ts"
import { showTime } from "../format/Time.ts"

/** Where there is no clipboard, because the page came neither over TLS nor from this machine: as pages did it before. */
const copyOld = (text: string): void => {
  const area = document.createElement("textarea")
  area.value = text
  document.body.append(area)
  area.select()
  document.execCommand("copy")
  area.remove()
}

const copy = async (text: string): Promise<void> => {
  if (window.isSecureContext) await navigator.clipboard.writeText(text)
  else copyOld(text)
}

/** Milliseconds for which a button says that it has copied. */
const copiedMillis = 1_500

export const Copy = ({ label, text, what }: { text: string; what: string; label?: string }) => {
  const [state, setState] = useState<"idle" | "copied" | "failed">("idle")
  const timer = useRef<number>(undefined)
  useEffect(() => () => window.clearTimeout(timer.current), [])
  const onClick = () => {
    copy(text)
      .then(() => setState("copied"))
      .catch(() => setState("failed"))
    window.clearTimeout(timer.current)
    timer.current = window.setTimeout(() => setState("idle"), copiedMillis)
  }
  const said = state === "copied" ? "Copied" : state === "failed" ? "Not copied" : (label ?? "Copy")
  return (
    <button type="button" className="copy" aria-label={`${said}: ${what}`} title={`Copy ${what}`} onClick={onClick}>
      <span aria-live="polite">{said}</span>
    </button>
  )
}

/** For people, with the exact integer of minor units beside it. */
export const Amount = ({
  amount,
  currency,
  signed = false
}: {
  amount: bigint
  currency: string
  signed?: boolean
}) => (
  <span className={amount < 0n ? "amount negative" : "amount"}>
    {signed && amount > 0n ? "+" : ""}
    {formatAmount(amount, currency)} <span className="currency">{currency}</span>
    {exponentOf(currency) === undefined ? (
      <span className="minor"> minor units</span>
    ) : (
      <span className="minor" title="minor units">
        {" "}
        {amount.toString()}
      </span>
    )}
  </span>
)

export const Time = ({ at }: { at: number }) => (
  <time dateTime={new Date(at).toISOString()} title={`${showTime(at)} UTC`}>
    {showTime(at)}
  </time>
)

export const WalletLink = ({ id, version }: { id: string; version?: number }) => (
  <Link
    className="id"
    to="/wallets/$id"
    params={{ id }}
    search={version === undefined ? {} : { v: version.toString() }}
  >
    {id}
  </Link>
)

export const TransferLink = ({ id }: { id: string }) => (
  <Link className="id" to="/transfers/$id" params={{ id }}>
    {id}
  </Link>
)

const tones: Readonly<Record<string, string>> = {
  active: "good",
  completed: "good",
  ok: "good",
  captured: "good",
  enabled: "good",
  pending: "warn",
  degraded: "warn",
  frozen: "warn",
  down: "bad",
  reversed: "bad",
  disabled: "bad"
}

export const Status = ({ status }: { status: string }) => (
  <span className={`status ${tones[status] ?? "plain"}`}>{status}</span>
)

/** What to do about it, where it is not plain from the text. */
const advice: Readonly<Record<string, string>> = {
  StoreUnavailable: "A store is away. It is tried again by itself; Health says which one.",
  NoAnswer: "It is tried again by itself.",
  MailboxFull: "Too much at once. Wait a moment, then try again.",
  RateLimited: "Too much at once. Wait a moment, then try again.",
  Unauthorized: "This key is none of this service’s, or it was revoked. Check it, or take another one.",
  Forbidden: "This key lacks the scope for it. Sign in with another one.",
  WalletNotFound: "Check the id, or look for it in Find.",
  TransferNotFound: "Check the id. A transfer that is on its way may be missing until PostgreSQL has it.",
  QueryTooWide: "Add a filter: an owner, a wallet or a time."
}

export const Problem = ({ error, onRetry }: { error: Error; onRetry?: () => void }) => {
  const failure = error instanceof Failure ? error : undefined
  return (
    <div className="problem" role="alert">
      <p>
        <strong>{failure?.code ?? "Error"}</strong> {error.message}
      </p>
      {failure?.details.map((detail) => (
        <p key={detail}>{detail}</p>
      ))}
      {failure !== undefined && advice[failure.code] !== undefined && <p>{advice[failure.code]}</p>}
      {failure?.requestId !== undefined && (
        <p className="quiet">
          request <code>{failure.requestId}</code>
        </p>
      )}
      {onRetry !== undefined && (
        <button type="button" onClick={onRetry}>
          Try again
        </button>
      )}
    </div>
  )
}

export const Empty = ({ children }: { children: ReactNode }) => <div className="empty">{children}</div>

export const Loading = ({ what }: { what: string }) => (
  <p className="quiet" role="status">
    Loading {what} …
  </p>
)

/** In place of a page that the key does not open. */
export const AdminOnly = () => (
  <Empty>This key lacks the scope admin, which this page needs. Sign out, and in again with another one.</Empty>
)

/** Names and values, side by side. */
export const Facts = ({ facts }: { facts: ReadonlyArray<readonly [string, ReactNode]> }) => (
  <dl className="facts">
    {facts.map(([name, value]) => (
      <div key={name}>
        <dt>{name}</dt>
        <dd>{value}</dd>
      </div>
    ))}
  </dl>
)

export const Metadata = ({ metadata }: { metadata: Readonly<Record<string, string>> }) => {
  const pairs = Object.entries(metadata)
  return pairs.length === 0 ? (
    <p className="quiet">None</p>
  ) : (
    <Facts
      facts={pairs.map(
        ([key, value]) =>
          [
            key,
            <span className="text" key={key}>
              {value}
            </span>
          ] as const
      )}
    />
  )
}
