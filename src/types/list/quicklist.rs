//! A quicklist: a long list as a row of nodes, each of which is a listpack.
//!
//! ```text
//!   node 0      node 1        node 2 ...                    node n-1
//!  |listpack|  |listpack|  |compressed|  |compressed|  ... |listpack|        depth 2: two nodes at each end stay as they are
//! ```
//!
//! Part of `List`, which uses it above the limit of a single listpack. Pushing and popping touch the nodes at the ends only;
//! an index is found by adding up the counts of nodes from the nearer end. Changes in the middle are in `change`.
//! Always: no node is empty, `len` is the sum of their counts, and after each change the nodes beyond the compression depth are
//! compressed (if they can be) and the others are not.

use std::collections::VecDeque;

use crate::base::alloc::size_class;
use crate::codec::listpack::{Item, Listpack};
use crate::types::list::limits::Limits;
use crate::types::list::node::{Data, Node, SharedNode, View};
use crate::types::list::{End, packed};

/// See the top of the file.
#[derive(Clone, Debug)]
pub struct Quicklist {
    pub(super) nodes: VecDeque<SharedNode>,
    pub(super) len: usize,
    /// Those of the configuration when the list became a quicklist, as in Redis.
    pub(super) limits: Limits,
}

/// Where an element is: its node, and its place in it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Place {
    pub node: usize,
    pub offset: usize,
}

impl Quicklist {
    pub fn new(limits: Limits) -> Quicklist {
        Quicklist { nodes: VecDeque::new(), len: 0, limits }
    }

    /// Puts a node behind the others; an empty one is dropped. `settle_all` must follow.
    pub(super) fn push_node(&mut self, node: Node) {
        if node.count > 0 {
            self.len += node.count as usize;
            self.nodes.push_back(node.into());
        }
    }

    #[inline]
    pub fn push(&mut self, end: End, element: &[u8]) {
        let limits = self.limits;
        let node = match end {
            End::Head => self.nodes.front_mut(),
            End::Tail => self.nodes.back_mut(),
        };
        self.len += 1;
        if let Some(node) = node
            && node.has_room(element.len(), limits)
            && let Node { data: Data::Packed(list), count } = &mut **node
        {
            packed::push(list, end, element);
            *count += 1;
            return;
        }
        self.push_in_new_node(end, element);
    }

    #[cold]
    fn push_in_new_node(&mut self, end: End, element: &[u8]) {
        let node = Node::of(element, self.limits).into();
        match end {
            End::Head => self.nodes.push_front(node),
            End::Tail => self.nodes.push_back(node),
        }
        self.settle(0);
    }

    /// Takes the element at one end out, after `read` has had it.
    #[inline]
    pub fn pop<R>(&mut self, end: End, read: impl FnOnce(Item<'_>) -> R) -> Option<R> {
        let node = match end {
            End::Head => self.nodes.front_mut(),
            End::Tail => self.nodes.back_mut(),
        }?;
        let node = &mut **node;
        let result = match &mut node.data {
            Data::Packed(list) => packed::pop(list, end, read)?,
            Data::Plain(element) => read(Item::Bytes(element)),
            Data::Compressed(_) => unreachable!("the nodes at the ends are never compressed"),
        };
        node.count -= 1;
        self.len -= 1;
        if node.count == 0 {
            self.drop_end(end);
        }
        Some(result)
    }

    #[cold]
    fn drop_end(&mut self, end: End) {
        match end {
            End::Head => drop(self.nodes.pop_front()),
            End::Tail => drop(self.nodes.pop_back()),
        }
        self.settle(0);
    }

    /// The place of the element with this index, which must be below `len`.
    pub(super) fn locate(&self, index: usize) -> Place {
        debug_assert!(index < self.len);
        if index < self.len / 2 {
            let mut offset = index;
            for (node, each) in self.nodes.iter().enumerate() {
                match offset.checked_sub(each.count as usize) {
                    Some(left) => offset = left,
                    None => return Place { node, offset },
                }
            }
        } else {
            let mut behind = self.len - index;
            for (node, each) in self.nodes.iter().enumerate().rev() {
                match (each.count as usize).checked_sub(behind) {
                    Some(offset) => return Place { node, offset },
                    None => behind -= each.count as usize,
                }
            }
        }
        unreachable!("the counts of the nodes add up to the length")
    }

    /// As `List::visit`.
    pub fn visit(&self, from: End, start: usize, mut visit: impl FnMut(Item<'_>) -> bool) {
        if start >= self.len {
            return;
        }
        match from {
            End::Head => {
                let place = self.locate(start);
                let mut offset = place.offset;
                for node in self.nodes.range(place.node..) {
                    if !node.visit(false, offset, &mut visit) {
                        return;
                    }
                    offset = 0;
                }
            }
            End::Tail => {
                let place = self.locate(self.len - 1 - start);
                let mut offset = self.nodes[place.node].count as usize - 1 - place.offset;
                for node in self.nodes.range(..=place.node).rev() {
                    if !node.visit(true, offset, &mut visit) {
                        return;
                    }
                    offset = 0;
                }
            }
        }
    }

    /// The only node's listpack, if it may be the whole list again.
    pub fn take_single(&mut self, limits: Limits) -> Option<Listpack> {
        let (list, count) = self.single()?;
        limits.fits_after_loss(list.byte_len(), count).then(|| std::mem::take(list))
    }

    /// As `take_single`, for a list that has just been loaded: up to the limit itself.
    pub fn take_loaded(&mut self, limits: Limits) -> Option<Listpack> {
        let (list, count) = self.single()?;
        (!limits.exceeded_by(list.byte_len(), count)).then(|| std::mem::take(list))
    }

    fn single(&mut self) -> Option<(&mut Listpack, usize)> {
        if self.nodes.len() != 1 {
            return None;
        }
        match &mut **self.nodes.front_mut()? {
            Node { data: Data::Packed(list), count } => Some((list, *count as usize)),
            Node { data: Data::Plain(_) | Data::Compressed(_), .. } => None,
        }
    }

    fn is_inner(&self, node: usize) -> bool {
        let depth = self.limits.depth as usize;
        depth > 0 && node >= depth && node + depth < self.nodes.len()
    }

    fn settle_node(&mut self, node: usize) {
        // One that stays as it is is not asked for to be changed: a frozen list may hold it.
        match (self.is_inner(node), self.nodes[node].is_compressed()) {
            (true, false) => self.nodes[node].compress(),
            (false, true) => self.nodes[node].decompress(),
            (true, true) | (false, false) => {}
        }
    }

    /// After nodes have come, gone or been opened around `near`: compresses what is now inside, opens what is at the ends.
    pub(super) fn settle(&mut self, near: usize) {
        let (depth, count) = (self.limits.depth as usize, self.nodes.len());
        if depth == 0 || count == 0 {
            return;
        }
        // An insertion adds two nodes at the most, so no node has moved farther.
        let head = 0..count.min(depth + 2);
        let tail = count.saturating_sub(depth + 2)..count;
        let near = near.saturating_sub(1)..count.min(near + 4);
        head.chain(tail).chain(near).for_each(|node| self.settle_node(node));
    }

    /// After nodes have been put together by hand.
    pub(super) fn settle_all(&mut self) {
        if self.limits.depth > 0 {
            (0..self.nodes.len()).for_each(|node| self.settle_node(node));
        }
    }

    pub fn heap_bytes(&self) -> usize {
        size_class(size_of::<Quicklist>())
            + size_class(self.nodes.capacity() * size_of::<SharedNode>())
            + self.nodes.len() * size_class(SharedNode::BYTES)
            + self.nodes.iter().map(|node| node.heap_bytes()).sum::<usize>()
    }

    /// Is `element` among the elements of this node?
    pub(super) fn node_has(&self, node: usize, element: &[u8]) -> bool {
        match self.nodes[node].view() {
            View::Packed(list) => list.first().is_some_and(|first| list.find(element, first, 0).is_some()),
            View::Plain(plain) => *plain == *element,
        }
    }
}
