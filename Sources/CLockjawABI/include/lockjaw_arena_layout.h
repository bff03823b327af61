// The offsets of lockjaw_arena.h, which includes this: a change that moves a field does not compile. It would have to
// raise LJ_ABI_VERSION.
#ifndef LOCKJAW_ARENA_LAYOUT_H
#define LOCKJAW_ARENA_LAYOUT_H

#include "lockjaw_arena.h"

#define LJ_AT(type, field, offset) _Static_assert(offsetof(type, field) == (offset), #type "." #field)
#define LJ_SIZE(type, bytes) _Static_assert(sizeof(type) == (bytes), #type)

#ifndef __cplusplus
LJ_AT(lj_arena_header, magic, 0);
LJ_AT(lj_arena_header, version, 8);
LJ_AT(lj_arena_header, header_bytes, 12);
LJ_AT(lj_arena_header, slot_bytes, 16);
LJ_AT(lj_arena_header, held_bytes, 20);
LJ_AT(lj_arena_header, event_bytes, 24);
LJ_AT(lj_arena_header, module_bytes, 28);
LJ_AT(lj_arena_header, file_bytes, 32);
LJ_AT(lj_arena_header, modules_offset, 40);
LJ_AT(lj_arena_header, slots_offset, 48);
LJ_AT(lj_arena_header, extents_offset, 56);
LJ_AT(lj_arena_header, module_capacity, 64);
LJ_AT(lj_arena_header, slot_capacity, 68);
LJ_AT(lj_arena_header, extent_capacity, 72);
LJ_AT(lj_arena_header, image_state, 76);
LJ_AT(lj_arena_header, module_count, 80);
LJ_AT(lj_arena_header, slot_count, 84);
LJ_AT(lj_arena_header, extent_count, 88);
LJ_AT(lj_arena_header, level, 92);
LJ_AT(lj_arena_header, pid, 96);
LJ_AT(lj_arena_header, parent_pid, 100);
LJ_AT(lj_arena_header, uid, 104);
LJ_AT(lj_arena_header, image_number, 108);
LJ_AT(lj_arena_header, start_ticks, 112);
LJ_AT(lj_arena_header, boot_id, 120);
LJ_AT(lj_arena_header, created_ns, 136);
LJ_AT(lj_arena_header, created_realtime_ns, 144);
LJ_AT(lj_arena_header, tsc_at_creation, 152);
LJ_AT(lj_arena_header, tick_source, 160);
LJ_AT(lj_arena_header, clock, 164);
LJ_AT(lj_arena_header, report_requests, 168);
LJ_AT(lj_arena_header, modules_generation, 172);
LJ_AT(lj_arena_header, foreign_releases, 176);
LJ_AT(lj_arena_header, exit_code, 180);
LJ_AT(lj_arena_header, shim_base, 184);
LJ_AT(lj_arena_header, losses, 192);
LJ_AT(lj_arena_header, session, 320);
LJ_AT(lj_arena_header, reason, 352);
LJ_AT(lj_arena_header, executable, 544);
LJ_AT(lj_arena_header, command, 1056);
LJ_AT(lj_arena_header, quiet_reason, 2080);
LJ_AT(lj_arena_header, ring_operations, 2084);
LJ_AT(lj_arena_header, history_offset, 2088);
LJ_AT(lj_arena_header, history_capacity, 2096);
LJ_AT(lj_arena_header, history_units, 2100);
LJ_AT(lj_arena_header, ring_mode, 2104);
LJ_AT(lj_arena_header, heartbeats, 2112);
LJ_SIZE(lj_arena_header, 3648);

LJ_AT(lj_heartbeat, state, 0);
LJ_AT(lj_heartbeat, within_ms, 4);
LJ_AT(lj_heartbeat, last_ns, 8);
LJ_AT(lj_heartbeat, beats, 16);
LJ_AT(lj_heartbeat, tid, 24);
LJ_AT(lj_heartbeat, name, 32);
LJ_SIZE(lj_heartbeat, 96);

LJ_AT(lj_collector_page, bell, 0);
LJ_AT(lj_collector_page, wake_mask, 4);
LJ_AT(lj_collector_page, collector_pid, 8);
LJ_AT(lj_collector_page, reports_done, 12);
LJ_AT(lj_collector_page, collector_start_ticks, 16);
LJ_AT(lj_collector_page, last_pass_ns, 24);
LJ_AT(lj_collector_page, level, 32);
LJ_SIZE(lj_collector_page, 40);

LJ_AT(lj_module, start, 0);
LJ_AT(lj_module, end, 8);
LJ_AT(lj_module, text_start, 16);
LJ_AT(lj_module, text_end, 24);
LJ_AT(lj_module, text_offset, 32);
LJ_AT(lj_module, inode, 40);
LJ_AT(lj_module, device_major, 48);
LJ_AT(lj_module, device_minor, 52);
LJ_AT(lj_module, build_id_bytes, 56);
LJ_AT(lj_module, path_truncated, 60);
LJ_AT(lj_module, build_id, 64);
LJ_AT(lj_module, path, 96);
LJ_SIZE(lj_module, 512);

LJ_AT(lj_held, object, 0);
LJ_AT(lj_held, site, 8);
LJ_AT(lj_held, count, 16);
LJ_AT(lj_held, kind, 20);
LJ_AT(lj_held, mode, 21);
LJ_AT(lj_held, caller_count, 22);
LJ_AT(lj_held, flags, 23);
LJ_AT(lj_held, since_ns, 24);
LJ_AT(lj_held, callers, 32);
LJ_SIZE(lj_held, 64);

LJ_AT(lj_context, ip, 0);
LJ_AT(lj_context, sp, 8);
LJ_AT(lj_context, bp, 16);
LJ_AT(lj_context, bx, 24);
LJ_AT(lj_context, r12, 32);
LJ_AT(lj_context, r13, 40);
LJ_AT(lj_context, r14, 48);
LJ_AT(lj_context, r15, 56);
LJ_SIZE(lj_context, 64);

LJ_AT(lj_wait, seq, 0);
LJ_AT(lj_wait, object, 8);
LJ_AT(lj_wait, object2, 16);
LJ_AT(lj_wait, site, 24);
LJ_AT(lj_wait, since_ns, 32);
LJ_AT(lj_wait, deadline_ns, 40);
LJ_AT(lj_wait, futex_op, 48);
LJ_AT(lj_wait, futex_value, 52);
LJ_AT(lj_wait, owner_tid, 56);
LJ_AT(lj_wait, kind, 60);
LJ_AT(lj_wait, mode, 61);
LJ_AT(lj_wait, context, 64);
LJ_AT(lj_wait, stack_bytes, 128);
LJ_AT(lj_wait, depth, 132);
LJ_AT(lj_wait, event, 136);
LJ_SIZE(lj_wait, 192);

LJ_AT(lj_event, begin_ns, 0);
LJ_AT(lj_event, duration_ns, 8);
LJ_AT(lj_event, object, 16);
LJ_AT(lj_event, object2, 24);
LJ_AT(lj_event, site, 32);
LJ_AT(lj_event, owner_tid, 40);
LJ_AT(lj_event, kind, 44);
LJ_AT(lj_event, mode, 45);
LJ_AT(lj_event, outcome, 46);
LJ_SIZE(lj_event, 48);

LJ_AT(lj_foreign, object, 0);
LJ_AT(lj_foreign, count, 8);
LJ_AT(lj_foreign, by_tid, 12);
LJ_SIZE(lj_foreign, 16);
LJ_AT(lj_permit, object, 0);
LJ_AT(lj_permit, site, 8);
LJ_AT(lj_permit, taken_ticks, 16);
LJ_AT(lj_permit, count, 24);
LJ_SIZE(lj_permit, 32);
LJ_AT(lj_post, object, 0);
LJ_AT(lj_post, posted_ticks, 8);
LJ_SIZE(lj_post, 16);

LJ_AT(lj_operation, ticks, 0);
LJ_AT(lj_operation, object, 8);
LJ_AT(lj_operation, site, 16);
LJ_AT(lj_operation, stamp, 24);
LJ_AT(lj_operation, operation, 28);
LJ_AT(lj_operation, kind, 29);
LJ_AT(lj_operation, mode, 30);
LJ_AT(lj_operation, detail, 31);
LJ_SIZE(lj_operation, 32);

LJ_AT(lj_site_count, object, 0);
LJ_AT(lj_site_count, site, 8);
LJ_AT(lj_site_count, operations, 16);
LJ_AT(lj_site_count, kind, 24);
LJ_AT(lj_site_count, mode, 25);
LJ_AT(lj_site_count, counts, 26);
LJ_AT(lj_site_count, caller_count, 27);
LJ_SIZE(lj_site_count, 32);
LJ_AT(lj_site_times, holds_timed, 0);
LJ_AT(lj_site_times, hold_ns, 8);
LJ_AT(lj_site_times, hold_ns_max, 16);
LJ_AT(lj_site_times, waits, 24);
LJ_AT(lj_site_times, wait_ns, 32);
LJ_AT(lj_site_times, wait_ns_max, 40);
LJ_AT(lj_site_times, failures, 48);
LJ_AT(lj_site_times, contended_holds, 56);
LJ_AT(lj_site_times, contended_hold_ns, 64);
LJ_AT(lj_site_times, seen_ticks, 72);
LJ_AT(lj_site_times, callers, 80);
LJ_SIZE(lj_site_times, 96);

LJ_AT(lj_history, operations_head, 0);
LJ_AT(lj_history, operations_capacity, 16);
LJ_AT(lj_history, tables_address, 64);
LJ_AT(lj_history, names_offset, 136);
LJ_AT(lj_history, operations_unit, 152);
LJ_AT(lj_history, tables_unit, 156);
LJ_SIZE(lj_history, 192);

LJ_AT(lj_name, object, 0);
LJ_AT(lj_name, named_ns, 8);
LJ_AT(lj_name, text, 16);
LJ_SIZE(lj_name, 64);
LJ_AT(lj_names, next_offset, 0);
LJ_AT(lj_names, count, 16);
LJ_AT(lj_names, names, 64);
LJ_SIZE(lj_names, LJ_HISTORY_UNIT);
LJ_AT(lj_breadcrumb, sequence, 0);
LJ_AT(lj_breadcrumb, since_ns, 8);
LJ_AT(lj_breadcrumb, text, 16);
LJ_SIZE(lj_breadcrumb, 128);

LJ_AT(lj_slot, phase, 0);
LJ_AT(lj_slot, tid, 4);
LJ_AT(lj_slot, pthread, 8);
LJ_AT(lj_slot, started_ns, 16);
LJ_AT(lj_slot, generation, 24);
LJ_AT(lj_slot, interrupted, 28);
LJ_AT(lj_slot, stack_low, 32);
LJ_AT(lj_slot, stack_high, 40);
LJ_AT(lj_slot, name, 48);
LJ_AT(lj_slot, exited_ns, 64);
LJ_AT(lj_slot, held_count, 128);
LJ_AT(lj_slot, held_extent, 132);
LJ_AT(lj_slot, held_lost, 136);
LJ_AT(lj_slot, foreign_pending, 140);
LJ_AT(lj_slot, ring_offset, 144);
LJ_AT(lj_slot, ring_capacity, 152);
LJ_AT(lj_slot, uses_semaphores, 156);
LJ_AT(lj_slot, ring_head, 160);
LJ_AT(lj_slot, acquisitions_contended, 168);
LJ_AT(lj_slot, wait, 184);
LJ_AT(lj_slot, held, 384);
LJ_AT(lj_slot, foreign, 3456);
LJ_AT(lj_slot, permits, 3520);
LJ_AT(lj_slot, posts, 3776);
LJ_AT(lj_slot, history, 3904);
LJ_AT(lj_slot, ring, 4096);
LJ_AT(lj_slot, breadcrumb, 6016);
LJ_AT(lj_slot, stack, 6144);
LJ_SIZE(lj_slot, 8192);
LJ_AT(lj_extent, held, 64);
LJ_SIZE(lj_extent, 4096);
#endif

#endif
