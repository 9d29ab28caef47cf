"""The log: partitioned, append-only topics behind one port, on Kafka, PostgreSQL or memory."""

from libs.common.log.port import Aborted, Draft, Fenced, Group, Log, LogError, Owner, Reader, Record

__all__ = ["Aborted", "Draft", "Fenced", "Group", "Log", "LogError", "Owner", "Reader", "Record"]
