//! Asking the memory for something before it is needed.

/// Has the memory begin to bring an element into the second cache, if it is there: what lies too far from
/// what was read before for the memory to guess it.
#[inline(always)]
pub fn fetch<T>(of: &[T], at: usize) {
    #[cfg(target_arch = "x86_64")]
    if let Some(sse) = pulp::core_arch::x86::Sse::try_new() {
        const TO_SECOND_CACHE: i32 = 2;
        let first = of.as_ptr().wrapping_add(at).cast::<i8>();
        for line in (0..size_of::<T>().max(1)).step_by(LINE) {
            sse._mm_prefetch::<TO_SECOND_CACHE>(first.wrapping_add(line));
        }
    }
}

/// Bytes that are brought together.
#[cfg(target_arch = "x86_64")]
const LINE: usize = 64;
