/**
 * The form of an act: first it is tried, then it is done. One form has one key of its own, from when it is opened until
 * it is known what came of it.
 */
import { useQueryClient } from "@tanstack/react-query"
import { type FormEvent, useEffect, useId, useRef, useState } from "react"
import { baseUrl, now } from "../api/Client.ts"
import type { Failure } from "../api/Failure.ts"
import { curlOf } from "../format/Curl.ts"
import { formatAmount, parseAmount } from "../format/Money.ts"
import { Copy, Problem } from "../parts/Basics.tsx"
import { useSession } from "../session/Session.ts"
import { type Command, type Outcome, requestOf, scopeOf } from "./Command.ts"
import { commandOf, commonCurrencies, type Field, type Form, formOf, type Subject, type Values } from "./Forms.ts"
import { Done, Preview } from "./Preview.tsx"
import { holdForm, newKey } from "./Pending.ts"
import { type Sent, sendAgain, sendFirst, tryFirst } from "./Sending.ts"

type Phase =
  | { readonly at: "filling" | "working" }
  | { readonly at: "tried"; readonly command: Command; readonly outcome: Outcome }
  | { readonly at: "refused" | "ended"; readonly failure: Failure }
  | { readonly at: "unknown"; readonly command: Command; readonly failure: Failure }
  | { readonly at: "done"; readonly outcome: Outcome }

/** The exact integer of what is typed, while it is typed. */
const exactly = (text: string, currency: string): string => {
  if (text.trim() === "") return ""
  const parsed = parseAmount(text, currency)
  return "fault" in parsed ? parsed.fault : `exactly ${parsed.amount} minor units`
}

interface InputProps {
  readonly field: Field
  readonly form: Form
  readonly value: string
  readonly fault: string | undefined
  readonly disabled: boolean
  readonly onChange: (value: string) => void
}

const Input = ({ disabled, fault, field, form, onChange, value }: InputProps) => {
  const id = useId()
  const hint = field.kind === "amount" ? exactly(value, form.currency) || field.hint : field.hint
  const shared = {
    id,
    name: field.name,
    disabled,
    "aria-invalid": fault !== undefined,
    "aria-describedby": `${id}-hint`
  }
  if (field.kind === "flag") {
    return (
      <label className="flag">
        <input
          {...shared}
          type="checkbox"
          checked={value !== ""}
          onChange={(e) => onChange(e.target.checked ? "yes" : "")}
        />
        {field.label}
      </label>
    )
  }
  const text = { ...shared, value, onChange: (event: { target: { value: string } }) => onChange(event.target.value) }
  return (
    <div className="field">
      <label htmlFor={id}>
        {field.label}
        {field.kind === "amount" && form.currency !== "" ? ` (${form.currency})` : ""}
        {field.optional && <span className="quiet"> optional</span>}
      </label>
      {field.kind === "metadata" ? (
        <textarea {...text} rows={2} spellCheck={false} />
      ) : field.kind === "direction" ? (
        <select {...text} value={value || "debits"}>
          <option value="debits">debits: nothing leaves</option>
          <option value="credits">credits: nothing comes</option>
          <option value="all">all: neither</option>
        </select>
      ) : (
        <input
          {...text}
          type="text"
          inputMode={field.kind === "amount" ? "decimal" : "text"}
          autoComplete="off"
          spellCheck={false}
          list={field.kind === "currency" ? `${id}-list` : undefined}
        />
      )}
      {field.kind === "currency" && (
        <datalist id={`${id}-list`}>
          {commonCurrencies.map((code) => (
            <option key={code} value={code} />
          ))}
        </datalist>
      )}
      <p
        id={`${id}-hint`}
        className={fault === undefined ? "hint" : "hint fault"}
        role={fault === undefined ? undefined : "alert"}
      >
        {fault ?? hint}
      </p>
    </div>
  )
}

/** What the button that does it says: what it does, and to how much. */
const labelOf = (form: Form, command: Command): string =>
  "amount" in command && command.amount !== undefined && form.currency !== ""
    ? `${form.verb} ${formatAmount(BigInt(command.amount), form.currency)} ${form.currency}`
    : form.verb

const Unknown = ({ failure, keyText }: { failure: Failure; keyText: string }) => (
  <div className="problem unknown" role="alert">
    <p>
      <strong>It is not known whether this has happened.</strong>
    </p>
    <p>{failure.message}</p>
    <p>
      Ask again: it is sent once more with the same key, and has one effect however often. Never do it anew in another
      form before you know. If you close this, or load the page again, it stays in the list at the top.
    </p>
    <p className="quiet">
      key <code>{keyText}</code>
    </p>
  </div>
)

interface Props {
  readonly subject: Subject
  readonly onClose: () => void
  readonly onDone?: (outcome: Outcome) => void
}

/** The way of one form from its first field to what came of it. */
const useAct = (subject: Subject, onDone: Props["onDone"]) => {
  const { client } = useSession()
  const queries = useQueryClient()
  const [key, setKey] = useState(newKey)
  const [values, setValues] = useState<Values>({})
  const [faults, setFaults] = useState<Readonly<Record<string, string>>>({})
  const [phase, setPhase] = useState<Phase>({ at: "filling" })
  useEffect(() => holdForm(key), [key])
  const change = (name: string, value: string) => {
    setValues((before) => ({ ...before, [name]: value }))
    setFaults({})
    setPhase({ at: "filling" })
  }
  const broke = (error: unknown) =>
    setPhase(() => {
      throw error
    })
  const settle = (command: Command, sent: Sent) => {
    if (sent.result === "done") {
      setPhase({ at: "done", outcome: sent.outcome })
      onDone?.(sent.outcome)
    } else if (sent.result === "unknown") {
      setPhase({ at: "unknown", command, failure: sent.failure })
    } else {
      setPhase({ at: sent.result, failure: sent.failure })
    }
    // What is on the page may be from before it.
    return queries.invalidateQueries()
  }
  const preview = () => {
    const made = commandOf(subject, values)
    if ("faults" in made) return setFaults(made.faults)
    setPhase({ at: "working" })
    return void tryFirst(client, made.command, key).then((sent) => {
      if (sent.result === "done") setPhase({ at: "tried", command: made.command, outcome: sent.outcome })
      else setPhase({ at: "refused", failure: sent.failure })
    }, broke)
  }
  const act = (command: Command) => {
    setPhase({ at: "working" })
    sendFirst(client, command, key)
      .then((sent) => settle(command, sent))
      .catch(broke)
  }
  const again = (command: Command) => {
    setPhase({ at: "working" })
    sendAgain(client, { key, command, sentAt: now() })
      .then((sent) => settle(command, sent))
      .catch(broke)
  }
  const restart = () => {
    setKey(newKey())
    setValues({})
    setPhase({ at: "filling" })
  }
  return { key, values, faults, phase, change, preview, act, again, restart }
}

type Act = ReturnType<typeof useAct>

const Result = ({ act, subject }: { act: Act; subject: Subject }) => {
  const { key, phase } = act
  switch (phase.at) {
    case "tried":
      return <Preview command={phase.command} outcome={phase.outcome} subject={subject} />
    case "refused":
      return <Problem error={phase.failure} />
    case "ended":
      return (
        <>
          <Problem error={phase.failure} />
          <p>It was undone, and that is on record: the money is where it was. This form is over.</p>
        </>
      )
    case "unknown":
      return <Unknown failure={phase.failure} keyText={key} />
    case "done":
      return <Done outcome={phase.outcome} />
    default:
      return null
  }
}

const Buttons = ({ act, form, onClose }: { act: Act; form: Form; onClose: () => void }) => {
  const { phase } = act
  const isOver = phase.at === "done" || phase.at === "ended"
  return (
    <div className="buttons">
      <button type="button" onClick={onClose}>
        {isOver || phase.at === "unknown" ? "Close" : "Cancel"}
      </button>
      {isOver && form.fields.length > 0 && phase.at === "done" && (
        <button type="button" onClick={act.restart}>
          Another
        </button>
      )}
      {(phase.at === "filling" || phase.at === "refused" || phase.at === "working") && (
        <button type="submit" className="primary" disabled={phase.at === "working"}>
          {phase.at === "working" ? "Working …" : "Preview"}
        </button>
      )}
      {phase.at === "tried" && (
        <button
          type="button"
          className={form.danger ? "primary danger" : "primary"}
          onClick={() => act.act(phase.command)}
          autoFocus
        >
          {labelOf(form, phase.command)}
        </button>
      )}
      {phase.at === "unknown" && (
        <button type="button" className="primary" onClick={() => act.again(phase.command)}>
          Ask again with the same key
        </button>
      )}
    </div>
  )
}

const CurlLine = ({ act, subject }: { act: Act; subject: Subject }) => {
  const made = commandOf(subject, act.values)
  const command = "command" in made ? made.command : undefined
  if (command === undefined || act.phase.at === "done") return null
  return (
    <p className="curl">
      <Copy text={curlOf(baseUrl, requestOf(command), act.key)} what="this request" label="Copy as curl" />
      <span className="quiet"> with this form’s key; your own is taken from $WALLET_API_KEY</span>
    </p>
  )
}

export const ActDialog = ({ onClose, onDone, subject }: Props) => {
  const dialog = useRef<HTMLDialogElement>(null)
  const { scopes } = useSession()
  const form = formOf(subject)
  const act = useAct(subject, onDone)
  useEffect(() => dialog.current?.showModal(), [])
  const locked = !["filling", "refused", "tried"].includes(act.phase.at)
  const onSubmit = (event: FormEvent) => {
    event.preventDefault()
    act.preview()
  }
  const made = commandOf(subject, act.values)
  const needsAdmin = "command" in made && scopeOf(made.command) === "admin" && !scopes.admin
  return (
    <dialog ref={dialog} onClose={onClose} aria-labelledby="act-title">
      <form onSubmit={onSubmit} noValidate>
        <h2 id="act-title">{form.title}</h2>
        {act.phase.at !== "done" &&
          form.fields.map((field) => (
            <Input
              key={field.name}
              field={field}
              form={form}
              value={act.values[field.name] ?? ""}
              fault={act.faults[field.name]}
              disabled={locked}
              onChange={(value) => act.change(field.name, value)}
            />
          ))}
        {needsAdmin && <p className="hint fault">This needs a key with the scope admin.</p>}
        <Result act={act} subject={subject} />
        <CurlLine act={act} subject={subject} />
        <Buttons act={act} form={form} onClose={() => dialog.current?.close()} />
      </form>
    </dialog>
  )
}
