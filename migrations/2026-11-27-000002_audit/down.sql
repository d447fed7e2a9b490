drop table audit_personal;
drop table audit_events;
drop table audit_pending;
drop function audit_refuse_loss();
drop function audit_refuse();
