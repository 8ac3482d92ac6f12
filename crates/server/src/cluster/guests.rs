//! The connections of other nodes that live in this node's hub, by both of their numbers.

use std::collections::BTreeMap;

use super::wire::NodeId;
use crate::ConnId;

/// Guests are numbered from here; sockets of this node from zero, and never reach it.
const FIRST: u64 = 1 << 63;

#[derive(Debug, Default)]
pub(super) struct Guests {
    by_conn: BTreeMap<ConnId, (NodeId, u64)>,
    by_node: BTreeMap<NodeId, BTreeMap<u64, ConnId>>,
    seen: u64,
}

impl Guests {
    pub(super) fn add(&mut self, node: &NodeId, number: u64) -> ConnId {
        let conn = ConnId(FIRST + self.seen);
        self.seen += 1;
        self.by_conn.insert(conn, (node.clone(), number));
        self.by_node.entry(node.clone()).or_default().insert(number, conn);
        conn
    }

    pub(super) fn conn(&self, node: &NodeId, number: u64) -> Option<ConnId> {
        self.by_node.get(node)?.get(&number).copied()
    }

    pub(super) fn node(&self, conn: ConnId) -> Option<(NodeId, u64)> {
        self.by_conn.get(&conn).cloned()
    }

    pub(super) fn all(&self) -> impl Iterator<Item = ConnId> {
        self.by_conn.keys().copied()
    }

    pub(super) fn of(&self, node: &NodeId) -> impl Iterator<Item = ConnId> {
        self.by_node.get(node).into_iter().flat_map(|conns| conns.values().copied())
    }

    pub(super) fn remove(&mut self, conn: ConnId) -> Option<(NodeId, u64)> {
        let (node, number) = self.by_conn.remove(&conn)?;
        if let Some(conns) = self.by_node.get_mut(&node) {
            conns.remove(&number);
            if conns.is_empty() {
                self.by_node.remove(&node);
            }
        }
        Some((node, number))
    }

    pub(super) fn remove_all(&mut self, node: &NodeId) -> Vec<ConnId> {
        let conns: Vec<ConnId> =
            self.by_node.remove(node).unwrap_or_default().into_values().collect();
        for conn in &conns {
            self.by_conn.remove(conn);
        }
        conns
    }
}
