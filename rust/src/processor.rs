//! What the processor of this machine can do.

/// Whether fast twins may use all of these features of x86-64 on this machine.
macro_rules! has {
    ($($feature:tt),+) => {
        $crate::processor::is_fast() $(&& std::arch::is_x86_feature_detected!($feature))+
    };
}

/// Whether there may be fast twins.
#[cfg(not(test))]
#[inline]
pub(crate) const fn is_fast() -> bool {
    true
}

/// Whether there may be fast twins: not where the environment has `PSI_CORE_PORTABLE`, so that the
/// portable ones, which other processors run, are tested as the real thing in the same build.
#[cfg(test)]
pub(crate) fn is_fast() -> bool {
    static ANSWER: std::sync::LazyLock<bool> =
        std::sync::LazyLock::new(|| std::env::var_os("PSI_CORE_PORTABLE").is_none());
    *ANSWER
}

#[cfg(test)]
mod tests {
    #[test]
    fn sse2_is_everywhere_but_where_portable_twins_are_asked_for() {
        assert_eq!(has!("sse2"), std::env::var_os("PSI_CORE_PORTABLE").is_none());
    }
}
