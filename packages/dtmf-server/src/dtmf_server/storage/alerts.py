"""The state of alerts, and what the operator's webhook received."""

from dtmf_server.storage.db import Row, Tx


def all_of(tx: Tx) -> list[Row]:
    """Return every alert that is firing, or was until recently."""
    return tx.all("SELECT * FROM alerts ORDER BY name, subject")


def put(tx: Tx, name: str, subject: str, *, is_firing: bool, text: str, wall_us: int) -> None:
    """Store a change of state."""
    tx.run(
        "INSERT INTO alerts (name, subject, is_firing, changed_wall_us, text, attempts, retry_wall_us)"
        " VALUES (:name, :subject, :is_firing, :wall_us, :text, 0, 0) ON CONFLICT (name, subject) DO UPDATE SET"
        " is_firing = excluded.is_firing, changed_wall_us = excluded.changed_wall_us, text = excluded.text,"
        " attempts = 0, retry_wall_us = 0",
        name=name,
        subject=subject,
        is_firing=is_firing,
        wall_us=wall_us,
        text=text,
    )


def due(tx: Tx, *, fired_before_us: int, wall_us: int) -> list[Row]:
    """Return the alerts to post: firing and not posted as such since an instant, or resolved after that was posted."""
    return tx.all(
        "SELECT * FROM alerts WHERE retry_wall_us <= :wall_us AND CASE WHEN is_firing"
        " THEN fired_wall_us IS NULL OR fired_wall_us <= :fired_before_us OR NOT coalesce(posted_firing, :no)"
        " ELSE coalesce(posted_firing, :no) END ORDER BY changed_wall_us, name, subject",
        wall_us=wall_us,
        fired_before_us=fired_before_us,
        no=False,
    )


def set_posted(tx: Tx, name: str, subject: str, *, is_firing: bool, wall_us: int) -> None:
    """Record that the webhook has received this state."""
    tx.run(
        "UPDATE alerts SET posted_firing = :is_firing, attempts = 0, retry_wall_us = 0,"
        " fired_wall_us = CASE WHEN :is_firing THEN :wall_us ELSE fired_wall_us END"
        " WHERE name = :name AND subject = :subject",
        name=name,
        subject=subject,
        is_firing=is_firing,
        wall_us=wall_us,
    )


def set_retry(tx: Tx, name: str, subject: str, *, retry_wall_us: int) -> None:
    """Record a failed post, and when to try again."""
    tx.run(
        "UPDATE alerts SET attempts = attempts + 1, retry_wall_us = :retry_wall_us"
        " WHERE name = :name AND subject = :subject",
        name=name,
        subject=subject,
        retry_wall_us=retry_wall_us,
    )


def forget(tx: Tx, *, fired_before_us: int) -> None:
    """Delete resolved alerts that need no post, unless they were posted as firing since an instant."""
    tx.run(
        "DELETE FROM alerts WHERE NOT is_firing AND NOT coalesce(posted_firing, :no)"
        " AND (fired_wall_us IS NULL OR fired_wall_us <= :fired_before_us)",
        fired_before_us=fired_before_us,
        no=False,
    )
