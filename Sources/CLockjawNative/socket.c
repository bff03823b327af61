#define _GNU_SOURCE
#include "lockjaw_socket.h"

#include <errno.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/sock_diag.h>
#include <linux/unix_diag.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <unistd.h>

static int64_t ask(int fd, uint32_t inode) {
  struct {
    struct nlmsghdr header;
    struct unix_diag_req request;
  } question = {
      .header = {.nlmsg_len = sizeof question, .nlmsg_type = SOCK_DIAG_BY_FAMILY, .nlmsg_flags = NLM_F_REQUEST},
      .request = {
          .sdiag_family = AF_UNIX,
          .udiag_states = UINT32_MAX,
          .udiag_ino = inode,
          .udiag_show = UDIAG_SHOW_PEER,
          // No cookie: the inode alone is asked for.
          .udiag_cookie = {UINT32_MAX, UINT32_MAX},
      },
  };
  if (send(fd, &question, sizeof question, 0) < 0) return -errno;

  _Alignas(struct nlmsghdr) char answer[8192];
  ssize_t length = recv(fd, answer, sizeof answer, 0);
  if (length < 0) return -errno;
  const struct nlmsghdr *header = (const struct nlmsghdr *)answer;
  if (!NLMSG_OK(header, (size_t)length)) return -EPROTO;
  if (header->nlmsg_type == NLMSG_ERROR) {
    if (header->nlmsg_len < NLMSG_LENGTH(sizeof(struct nlmsgerr))) return -EPROTO;
    return ((const struct nlmsgerr *)NLMSG_DATA(header))->error;
  }
  if (header->nlmsg_len < NLMSG_LENGTH(sizeof(struct unix_diag_msg))) return -EPROTO;
  const struct unix_diag_msg *message = NLMSG_DATA(header);
  const struct rtattr *attribute = (const struct rtattr *)(message + 1);
  unsigned left = header->nlmsg_len - NLMSG_LENGTH(sizeof *message);
  for (; RTA_OK(attribute, left); attribute = RTA_NEXT(attribute, left)) {
    if (attribute->rta_type != UNIX_DIAG_PEER || RTA_PAYLOAD(attribute) < sizeof(uint32_t)) continue;
    uint32_t peer;
    memcpy(&peer, RTA_DATA(attribute), sizeof peer);
    return peer;
  }
  return 0;
}

int64_t lj_unix_peer(uint32_t inode) {
  int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
  if (fd < 0) return -errno;
  // The kernel answers at once; whatever stands in for one in a sandbox may not.
  struct timeval limit = {.tv_usec = 200 * 1000};
  setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
  int64_t peer = ask(fd, inode);
  close(fd);
  return peer;
}

int lj_socket_has_time_limit(pid_t pid, int fd, bool is_writing) {
  long pidfd = syscall(SYS_pidfd_open, pid, 0);
  if (pidfd < 0) return -errno;
  // Ours is one more descriptor of the same socket, and close-on-exec.
  long copy = syscall(SYS_pidfd_getfd, (int)pidfd, fd, 0);
  int result = copy < 0 ? -errno : 0;
  if (copy >= 0) {
    struct timeval limit = {0};
    socklen_t size = sizeof limit;
    if (getsockopt((int)copy, SOL_SOCKET, is_writing ? SO_SNDTIMEO : SO_RCVTIMEO, &limit, &size) < 0)
      result = -errno;
    else
      result = limit.tv_sec != 0 || limit.tv_usec != 0;
    close((int)copy);
  }
  close((int)pidfd);
  return result;
}
