//! What an instance type has: facts of AWS's own tables, from which containers get their limits.

/// The size of an instance type.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct InstanceType {
    /// The family, such as `m5`.
    pub family: &'static str,
    /// Virtual CPUs.
    pub vcpus: u32,
    /// Memory in GiB.
    pub memory_gib: f64,
    /// Accelerators of any kind.
    pub accelerators: u32,
}

impl InstanceType {
    /// Memory in MiB.
    pub fn memory_mib(&self) -> u64 {
        (self.memory_gib * 1024.0) as u64
    }
    /// CPU in thousandths of a core.
    pub fn cpu_millis(&self) -> u64 {
        u64::from(self.vcpus) * 1000
    }
}

/// A family: memory in GiB for each vCPU, and its sizes with vCPUs and accelerators.
struct Family {
    name: &'static str,
    memory_per_vcpu: f64,
    sizes: &'static [(&'static str, u32, u32)],
}

const STANDARD: &[(&str, u32, u32)] = &[
    ("large", 2, 0),
    ("xlarge", 4, 0),
    ("2xlarge", 8, 0),
    ("4xlarge", 16, 0),
    ("8xlarge", 32, 0),
    ("9xlarge", 36, 0),
    ("10xlarge", 40, 0),
    ("12xlarge", 48, 0),
    ("16xlarge", 64, 0),
    ("18xlarge", 72, 0),
    ("24xlarge", 96, 0),
    ("32xlarge", 128, 0),
    ("48xlarge", 192, 0),
];

const FAMILIES: &[Family] = &[
    Family { name: "m4", memory_per_vcpu: 4.0, sizes: STANDARD },
    Family { name: "m5", memory_per_vcpu: 4.0, sizes: STANDARD },
    Family { name: "m5d", memory_per_vcpu: 4.0, sizes: STANDARD },
    Family { name: "m6i", memory_per_vcpu: 4.0, sizes: STANDARD },
    Family { name: "m6g", memory_per_vcpu: 4.0, sizes: STANDARD },
    Family { name: "m7i", memory_per_vcpu: 4.0, sizes: STANDARD },
    Family { name: "c4", memory_per_vcpu: 1.875, sizes: STANDARD },
    Family { name: "c5", memory_per_vcpu: 2.0, sizes: STANDARD },
    Family { name: "c5d", memory_per_vcpu: 2.0, sizes: STANDARD },
    Family { name: "c6i", memory_per_vcpu: 2.0, sizes: STANDARD },
    Family { name: "c6g", memory_per_vcpu: 2.0, sizes: STANDARD },
    Family { name: "c7i", memory_per_vcpu: 2.0, sizes: STANDARD },
    Family { name: "r5", memory_per_vcpu: 8.0, sizes: STANDARD },
    Family { name: "r5d", memory_per_vcpu: 8.0, sizes: STANDARD },
    Family { name: "r6i", memory_per_vcpu: 8.0, sizes: STANDARD },
    Family { name: "r7i", memory_per_vcpu: 8.0, sizes: STANDARD },
    Family {
        name: "g4dn",
        memory_per_vcpu: 4.0,
        sizes: &[
            ("xlarge", 4, 1),
            ("2xlarge", 8, 1),
            ("4xlarge", 16, 1),
            ("8xlarge", 32, 1),
            ("12xlarge", 48, 4),
            ("16xlarge", 64, 1),
        ],
    },
    Family {
        name: "g5",
        memory_per_vcpu: 4.0,
        sizes: &[
            ("xlarge", 4, 1),
            ("2xlarge", 8, 1),
            ("4xlarge", 16, 1),
            ("8xlarge", 32, 1),
            ("12xlarge", 48, 4),
            ("16xlarge", 64, 1),
            ("24xlarge", 96, 4),
            ("48xlarge", 192, 8),
        ],
    },
    Family { name: "p3", memory_per_vcpu: 7.625, sizes: &[("2xlarge", 8, 1), ("8xlarge", 32, 4), ("16xlarge", 64, 8)] },
    Family { name: "p4d", memory_per_vcpu: 12.0, sizes: &[("24xlarge", 96, 8)] },
    Family { name: "p5", memory_per_vcpu: 10.666_667, sizes: &[("48xlarge", 192, 8)] },
];

/// Burstable types, whose memory follows no rule.
const BURSTABLE: &[(&str, &str, u32, f64)] = &[
    ("t2", "medium", 2, 4.0),
    ("t2", "large", 2, 8.0),
    ("t2", "xlarge", 4, 16.0),
    ("t2", "2xlarge", 8, 32.0),
    ("t3", "medium", 2, 4.0),
    ("t3", "large", 2, 8.0),
    ("t3", "xlarge", 4, 16.0),
    ("t3", "2xlarge", 8, 32.0),
];

/// The size behind a name such as `ml.m5.xlarge`; none for a type that this site does not know.
pub fn instance_type(name: &str) -> Option<InstanceType> {
    let (family, size) = name.strip_prefix("ml.")?.split_once('.')?;
    let burstable = BURSTABLE.iter().find(|(of, named, ..)| *of == family && *named == size);
    if let Some(&(family, _, vcpus, memory_gib)) = burstable {
        return Some(InstanceType { family, vcpus, memory_gib, accelerators: 0 });
    }
    let family = FAMILIES.iter().find(|known| known.name == family)?;
    let (_, vcpus, accelerators) = *family.sizes.iter().find(|(named, ..)| *named == size)?;
    let memory_gib = f64::from(vcpus) * family.memory_per_vcpu;
    Some(InstanceType { family: family.name, vcpus, memory_gib, accelerators })
}

#[cfg(test)]
mod tests {
    //! Sizes as AWS publishes them.

    use super::*;

    #[test]
    fn sizes_are_aws_s() {
        for (name, vcpus, mib, accelerators) in [
            ("ml.t2.medium", 2, 4096, 0),
            ("ml.m5.large", 2, 8192, 0),
            ("ml.m5.xlarge", 4, 16384, 0),
            ("ml.c5.xlarge", 4, 8192, 0),
            ("ml.c4.large", 2, 3840, 0),
            ("ml.g5.2xlarge", 8, 32768, 1),
            ("ml.p3.2xlarge", 8, 62464, 1),
            ("ml.p4d.24xlarge", 96, 1_179_648, 8),
        ] {
            let size = instance_type(name).unwrap();
            assert_eq!((size.vcpus, size.memory_mib(), size.accelerators), (vcpus, mib, accelerators), "{name}");
        }
        assert_eq!(instance_type("ml.m5.tiny"), None);
        assert_eq!(instance_type("m5.large"), None);
    }
}
