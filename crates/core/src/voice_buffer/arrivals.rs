//! How long packets took lately.

/// The transits of the last packets: arrival minus sampling time, in samples, with an unknown
/// constant offset between the two clocks.
#[derive(Debug)]
pub(super) struct Arrivals {
    transits: Vec<i64>,
    capacity: usize,
    next: usize,
    sorted: Vec<i64>,
}

impl Arrivals {
    pub(super) fn new(capacity: usize) -> Self {
        let capacity = capacity.max(1);
        Self {
            transits: Vec::with_capacity(capacity),
            capacity,
            next: 0,
            sorted: Vec::with_capacity(capacity),
        }
    }

    pub(super) fn record(&mut self, transit: i64) {
        if self.transits.len() < self.capacity {
            self.transits.push(transit);
        } else {
            let oldest = std::mem::replace(&mut self.transits[self.next], transit);
            if let Ok(at) = self.sorted.binary_search(&oldest) {
                self.sorted.remove(at);
            }
        }
        let at = self.sorted.partition_point(|&other| other < transit);
        self.sorted.insert(at, transit);
        self.next = (self.next + 1) % self.capacity;
    }

    pub(super) fn len(&self) -> usize {
        self.transits.len()
    }

    /// The shortest.
    pub(super) fn fastest(&self) -> Option<i64> {
        self.sorted.first().copied()
    }

    /// What each of the last two took at least.
    pub(super) fn surge(&self) -> Option<i64> {
        let last = |back| self.transits.get((self.next + self.capacity - back) % self.capacity);
        Some(*last(1)?.min(last(2).or_else(|| last(1))?))
    }

    /// Which no more than `1 - share` of them exceed.
    pub(super) fn quantile(&self, share: f64) -> Option<i64> {
        let rank = (self.sorted.len() as f64 * share).ceil() as usize;
        self.sorted.get(rank.saturating_sub(1)).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_follow_the_window() {
        let mut arrivals = Arrivals::new(100);
        assert_eq!(arrivals.quantile(0.97), None);
        (0..100).for_each(|transit| arrivals.record(transit));
        assert_eq!((arrivals.fastest(), arrivals.quantile(0.97)), (Some(0), Some(96)));
        (0..100).for_each(|_| arrivals.record(500));
        assert_eq!((arrivals.fastest(), arrivals.quantile(0.97)), (Some(500), Some(500)));
        assert_eq!(arrivals.len(), 100);
        assert_eq!(arrivals.surge(), Some(500));
        arrivals.record(700);
        assert_eq!(arrivals.surge(), Some(500), "one may be a straggler");
        arrivals.record(650);
        assert_eq!(arrivals.surge(), Some(650));
    }
}
