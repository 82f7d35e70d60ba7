//! What several need and one makes.

use std::sync::{Mutex, OnceLock, TryLockError};

use super::wait_awake;

/// A value made by the first who needs it. Who needs it meanwhile helps: a part that is taken must not need it.
#[derive(Debug)]
pub struct Once<T> {
    value: OnceLock<T>,
    making: Mutex<()>,
}

impl<T> Default for Once<T> {
    fn default() -> Self {
        Self { value: OnceLock::new(), making: Mutex::new(()) }
    }
}

impl<T> Once<T> {
    /// The value, made if it is not there.
    pub fn get_or_make(&self, make: impl Fn() -> T) -> &T {
        loop {
            if let Some(value) = self.value.get() {
                return value;
            }
            let making = match self.making.try_lock() {
                Ok(making) => Some(making),
                // Its maker broke down over it: the next one tries.
                Err(TryLockError::Poisoned(making)) => Some(making.into_inner()),
                Err(TryLockError::WouldBlock) => None,
            };
            if making.is_some() {
                return self.value.get_or_init(&make);
            }
            wait_awake(1, || false);
        }
    }

    /// Takes the value out.
    pub fn take(&mut self) -> Option<T> {
        self.value.take()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::panic::{AssertUnwindSafe, catch_unwind};
    use std::sync::atomic::{AtomicUsize, Ordering};

    #[test]
    fn a_value_is_made_once_and_anew_where_its_maker_broke_down() {
        let once = Once::default();
        let broken = catch_unwind(AssertUnwindSafe(|| once.get_or_make(|| panic!("broken"))));
        assert!(broken.is_err());
        let made = AtomicUsize::new(0);
        let make = || {
            made.fetch_add(1, Ordering::Relaxed);
            7
        };
        rayon::scope(|scope| {
            (0..3).for_each(|_| scope.spawn(|_| assert_eq!(*once.get_or_make(make), 7)));
        });
        assert_eq!(made.into_inner(), 1);
    }
}
