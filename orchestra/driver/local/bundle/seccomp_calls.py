"""The default profile as a table: which system calls a container may make, by subject.

An allowlist: what is missing here is refused. Names of other architectures are skipped. Its effect is
Docker's: calls that see or change the machine rather than the container (mount, clock, kernel modules, keyrings, BPF,
swap, kexec, io_uring...) are left out, or come with the capability that is needed to make them anyway.
"""

from __future__ import annotations

# Subject: calls of syscalls(2) that every program may make. The suffixes 32, 64 and _time64 belong to 32-bit
# architectures.
ALLOWED: dict[str, str] = {
    "opening and closing": """
        close close_range creat dup dup2 dup3 open openat openat2 fcntl fcntl64 flock name_to_handle_at
        pipe pipe2 memfd_create memfd_secret eventfd eventfd2 signalfd signalfd4""",
    "reading and writing": """
        read readv pread64 preadv preadv2 write writev pwrite64 pwritev pwritev2 lseek _llseek readahead fsync fdatasync
        sync syncfs sync_file_range sync_file_range2 arm_sync_file_range copy_file_range sendfile sendfile64 splice tee
        vmsplice ioctl truncate truncate64 ftruncate ftruncate64 fallocate fadvise64 fadvise64_64 arm_fadvise64_64
        cachestat""",
    "files and directories": """
        access faccessat faccessat2 chdir fchdir getcwd mkdir mkdirat rmdir mknod mknodat link linkat symlink symlinkat
        readlink readlinkat rename renameat renameat2 unlink unlinkat getdents getdents64 umask
        stat stat64 lstat lstat64 fstat fstat64 fstatat64 newfstatat statx statfs statfs64 fstatfs fstatfs64
        chmod fchmod fchmodat fchmodat2 chown chown32 fchown fchown32 fchownat lchown lchown32
        utime utimes futimesat utimensat utimensat_time64""",
    "extended attributes": """
        getxattr lgetxattr fgetxattr getxattrat listxattr llistxattr flistxattr listxattrat
        setxattr lsetxattr fsetxattr setxattrat removexattr lremovexattr fremovexattr removexattrat""",
    "waiting for descriptors": """
        epoll_create epoll_create1 epoll_ctl epoll_ctl_old epoll_pwait epoll_pwait2 epoll_wait epoll_wait_old
        poll ppoll ppoll_time64 select _newselect pselect6 pselect6_time64
        inotify_init inotify_init1 inotify_add_watch inotify_rm_watch fanotify_mark
        io_setup io_submit io_cancel io_getevents io_pgetevents io_pgetevents_time64 io_destroy""",
    "sockets": """
        socketcall socketpair bind listen accept accept4 connect shutdown getsockname getpeername getsockopt setsockopt
        send sendto sendmsg sendmmsg recv recvfrom recvmsg recvmmsg recvmmsg_time64""",
    "System V and POSIX communication": """
        ipc msgctl msgget msgrcv msgsnd semctl semget semop semtimedop semtimedop_time64 shmat shmctl shmdt shmget
        mq_open mq_unlink mq_notify mq_getsetattr mq_timedreceive mq_timedreceive_time64
        mq_timedsend mq_timedsend_time64""",
    "memory": """
        brk mmap mmap2 munmap mremap mprotect madvise mincore msync mlock mlock2 mlockall munlock munlockall mseal
        remap_file_pages membarrier map_shadow_stack pkey_alloc pkey_free pkey_mprotect""",
    "processes": """
        execve execveat exit exit_group fork vfork wait4 waitid waitpid kill tkill tgkill pidfd_open pidfd_send_signal
        process_mrelease getpid getppid gettid getpgid setpgid getpgrp getsid setsid prctl
        ptrace process_vm_readv process_vm_writev restart_syscall uname sysinfo times
        set_tid_address set_robust_list get_robust_list rseq get_thread_area set_thread_area""",
    "futexes": "futex futex_time64 futex_wait futex_wake futex_requeue futex_waitv",
    "signals": """
        alarm pause rt_sigaction rt_sigpending rt_sigprocmask rt_sigqueueinfo rt_sigreturn rt_sigsuspend rt_sigtimedwait
        rt_sigtimedwait_time64 rt_tgsigqueueinfo sigaltstack sigprocmask sigreturn""",
    "users and groups": """
        getuid getuid32 geteuid geteuid32 getgid getgid32 getegid getegid32 getresuid getresuid32 getresgid getresgid32
        getgroups getgroups32 setuid setuid32 setgid setgid32 setreuid setreuid32 setregid setregid32 setresuid
        setresuid32 setresgid setresgid32 setfsuid setfsuid32 setfsgid setfsgid32 setgroups setgroups32
        capget capset""",
    "limits and scheduling": """
        getrlimit setrlimit ugetrlimit prlimit64 getrusage getpriority setpriority ioprio_get ioprio_set getcpu
        sched_getaffinity sched_setaffinity sched_getattr sched_setattr sched_getparam sched_setparam
        sched_getscheduler sched_setscheduler sched_get_priority_max sched_get_priority_min sched_rr_get_interval
        sched_rr_get_interval_time64 sched_yield""",
    "time": """
        time gettimeofday clock_getres clock_getres_time64 clock_gettime clock_gettime64 clock_nanosleep
        clock_nanosleep_time64 nanosleep adjtimex clock_adjtime clock_adjtime64 getitimer setitimer
        timer_create timer_delete timer_getoverrun timer_gettime timer_gettime64 timer_settime timer_settime64
        timerfd_create timerfd_gettime timerfd_gettime64 timerfd_settime timerfd_settime64""",
    "confining oneself, and chance": """
        seccomp landlock_create_ruleset landlock_add_rule landlock_restrict_self getrandom""",
}

# Machine: calls that only its processors have.
ARCHITECTURE_CALLS: dict[str, str] = {
    "x86_64": "arch_prctl modify_ldt",
    "aarch64": "breakpoint cacheflush set_tls",
}

# Capability: calls that it permits.
CAPABILITY_CALLS: dict[str, str] = {
    "CAP_BPF": "bpf",
    "CAP_DAC_READ_SEARCH": "open_by_handle_at",
    "CAP_PERFMON": "perf_event_open",
    "CAP_SYS_ADMIN": """
        bpf clone clone3 fanotify_init fsconfig fsmount fsopen fspick listmount lookup_dcookie mount mount_setattr
        move_mount open_tree perf_event_open quotactl quotactl_fd setdomainname sethostname setns statmount syslog
        umount umount2 unshare""",
    "CAP_SYS_BOOT": "reboot",
    "CAP_SYS_CHROOT": "chroot",
    "CAP_SYS_MODULE": "init_module finit_module delete_module",
    "CAP_SYS_NICE": "get_mempolicy mbind set_mempolicy set_mempolicy_home_node",
    "CAP_SYS_PACCT": "acct",
    "CAP_SYS_PTRACE": "kcmp pidfd_getfd process_madvise",
    "CAP_SYS_RAWIO": "iopl ioperm",
    "CAP_SYS_TIME": "settimeofday stime clock_settime clock_settime64",
    "CAP_SYS_TTY_CONFIG": "vhangup",
    "CAP_SYSLOG": "syslog",
}

# Calls that were not decided on answer "no such call": programs do without those, where EPERM could make them fail.
UNDECIDED = "lsm_get_self_attr lsm_set_self_attr lsm_list_modules open_tree_attr file_getattr file_setattr"

# Execution domains of personality(2): Linux, Linux with 32-bit addresses (PER_LINUX32), each with and without
# UNAME26, and the query for the current one.
PERSONALITIES = (0x0, 0x8, 0x20000, 0x20008, 0xFFFFFFFF)
AF_VSOCK = 40  # leads to the hypervisor, past every network namespace
# CLONE_NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID, NEWNET of clone(2).
NEW_NAMESPACES = 0x7E020000

# Machine: architectures whose programs it also runs, as the OCI runtime spec names them.
ARCHITECTURES: dict[str, tuple[str, ...]] = {
    "x86_64": ("SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32"),
    "aarch64": ("SCMP_ARCH_AARCH64", "SCMP_ARCH_ARM"),
}
