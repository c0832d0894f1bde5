/** A button for what cannot be undone: asks once more, in the page, before it does it. */
import { useState } from "react"

interface Props {
  readonly label: string
  /** What comes of it. */
  readonly warning: string
  readonly disabled?: boolean
  readonly onSure: () => void
}

export const Sure = ({ disabled = false, label, onSure, warning }: Props) => {
  const [isAsking, setAsking] = useState(false)
  if (!isAsking) {
    return (
      <button type="button" className="small" disabled={disabled} onClick={() => setAsking(true)}>
        {label}
      </button>
    )
  }
  return (
    <span className="notice sure" role="group" aria-label={label}>
      {warning}{" "}
      <button
        type="button"
        className="primary danger"
        autoFocus
        onClick={() => {
          setAsking(false)
          onSure()
        }}
      >
        {label}
      </button>{" "}
      <button type="button" onClick={() => setAsking(false)}>
        Cancel
      </button>
    </span>
  )
}
