//! The results of a round, as far as they have come.

use std::sync::Arc;

use crate::maths::Tensor;
use crate::maths::room::give_back_tensor;

/// Results by share. Cloning copies pointers.
#[derive(Clone, Debug, Default)]
pub struct Results {
    by_share: Vec<Option<Arc<Vec<Tensor>>>>,
    count: usize,
}

/// Whoever comes to its end last gives the buffers back.
impl Drop for Results {
    fn drop(&mut self) {
        let last = self.by_share.drain(..).flatten().filter_map(Arc::into_inner);
        last.flatten().for_each(give_back_tensor);
    }
}

impl Results {
    /// Room for those of so many shares.
    pub(super) fn of(shares: usize) -> Self {
        Self { by_share: vec![None; shares], count: 0 }
    }

    pub(super) fn has(&self, share: usize) -> bool {
        self.by_share[share].is_some()
    }

    pub(super) fn put(&mut self, share: usize, result: Arc<Vec<Tensor>>) {
        self.count += usize::from(self.by_share[share].replace(result).is_none());
    }

    pub(super) fn remove(&mut self, share: usize) {
        self.count -= usize::from(self.by_share[share].take().is_some());
    }

    pub(super) fn clear(&mut self) {
        self.by_share.fill(None);
        self.count = 0;
    }

    /// How many have come.
    pub fn len(&self) -> usize {
        self.count
    }

    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// In the order of their shares.
    pub fn iter(&self) -> impl Iterator<Item = (usize, &[Tensor])> + Clone {
        let all = self.by_share.iter().enumerate();
        all.filter_map(|(share, result)| Some((share, result.as_ref()?.as_slice())))
    }

    /// The shares whose results have come, in order.
    pub fn shares(&self) -> impl Iterator<Item = usize> + Clone {
        self.iter().map(|(share, _)| share)
    }

    /// Those whose results have not.
    pub(super) fn missing(&self) -> impl Iterator<Item = usize> + Clone {
        let missing = self.by_share.iter().enumerate().filter(|(_, result)| result.is_none());
        missing.map(|(share, _)| share)
    }
}
