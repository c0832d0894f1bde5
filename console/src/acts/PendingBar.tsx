/** Above every page: commands of which it is not known what came of them. */
import { useQueryClient } from "@tanstack/react-query"
import { useState } from "react"
import { baseUrl } from "../api/Client.ts"
import { curlOf } from "../format/Curl.ts"
import { showSecond } from "../format/Time.ts"
import { Copy } from "../parts/Basics.tsx"
import { useSession } from "../session/Session.ts"
import { requestOf } from "./Command.ts"
import { type Pending, usePending } from "./Pending.ts"
import { type Sent, sendAgain } from "./Sending.ts"

const saidOf = (sent: Sent): string =>
  sent.result === "done"
    ? "It has happened, once."
    : sent.result === "unknown"
      ? `Still not known: ${sent.failure.message}`
      : sent.result === "ended"
        ? `It was undone: ${sent.failure.message}`
        : `It has not happened: ${sent.failure.message}`

const about = ({ command }: Pending): string => {
  const { body, path } = requestOf(command)
  return `${path.replace("/v1/", "")} ${JSON.stringify(body ?? {})}`
}

export const PendingBar = () => {
  const { client } = useSession()
  const queries = useQueryClient()
  const pending = usePending()
  const [said, setSaid] = useState<string>()
  const [asking, setAsking] = useState(false)
  const onAsk = async (one: Pending) => {
    setAsking(true)
    try {
      setSaid(saidOf(await sendAgain(client, one)))
    } finally {
      setAsking(false)
    }
    await queries.invalidateQueries()
  }
  if (pending.length === 0 && said === undefined) return null
  return (
    <section className="pending-bar" aria-label="Commands with an unknown outcome">
      {pending.length > 0 && (
        <p>
          <strong>
            {pending.length === 1 ? "One command" : `${pending.length} commands`} may or may not have happened.
          </strong>{" "}
          Ask again: with the same key each has one effect.
        </p>
      )}
      <ul>
        {pending.map((one) => (
          <li key={one.key}>
            <code className="about">{about(one)}</code> <span className="quiet">sent {showSecond(one.sentAt)} UTC</span>{" "}
            <button type="button" disabled={asking} onClick={() => void onAsk(one)}>
              Ask again
            </button>{" "}
            <Copy text={curlOf(baseUrl, requestOf(one.command), one.key)} what="this request" label="Copy as curl" />
          </li>
        ))}
      </ul>
      {said !== undefined && (
        <p role="status">
          {said}{" "}
          <button type="button" onClick={() => setSaid(undefined)}>
            Dismiss
          </button>
        </p>
      )}
    </section>
  )
}
