-- One row per file that cannot be read, with the reason.
select path, reason
from skipped_files
order by path
